"""Full text: looking through contents for a pattern, and finding words in an index of texts.

For a pattern (``grep``), contents are read:

``pattern``   a regular expression, and how lines are looked through with it
``bound``     the same expression where it cannot leave a line (pure)
``blocks``    content as text, in blocks of whole lines
``lines``     the lines of one content that match, with those around them
``ordered``   work on two threads, its results in order and within bounds
``grep``      over the artifacts that a query finds
``moments``   what a query finds at a moment

For words (``search``), an index of texts is asked:

``words``     words, phrases and beginnings, as they are written (pure)
``tokens``    texts as they are indexed: scripts without spaces, accents, case (pure)
``extract``   the text of a content, by its type; ``office`` and ``documents`` of files that are no text
``schema``    the tables, beside the index
``fill``      bringing them up to date
``texts``     the index of texts: its life
``asking``    what words find, in order
``snippet``   where the words stand in a text (pure)

All of it is derived from logs and objects; deleting it costs time.
"""
