"""What a store keeps, and for how long; how what is not needed goes, and how it comes back until then.

``gc``        objects that nothing needs: to the trash, and in the end deleted
``marking``   which are needed
``trash``     what lies in the trash: looked at, taken back, deleted
``repack``    many small objects into few large files
"""
