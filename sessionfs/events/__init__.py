"""Events: the records of logs, as values; reading them without folding what they add up to.

``types``       the table of types
``event``       one event
``summary``     what it says, in a few words
``query``       which ones are wanted
``reading``     one session's, or all sessions', forwards or back
``callers``     what the records say that callers make
``tree``        events that caused each other
``provenance``  what an artifact was made from
``whole``       whether a log is whole
"""
