"""Analytics: numbers about the sessions of a store, what was done in them, and where the space is.

``asking``     choosing sessions, and summing up exactly
``durations``  averages and percentiles
``stats``      how many, how large, how long
``patterns``   what agents, tools and workflows did, and what went wrong; with ``sequences`` of tools
``space``      where the space is: with ``survey``, what lies on the disk; ``places``, what it is there for; and
               ``holdings``, whose it is
``family``     parents and children
``timeline``   one session against time; on an ``axis`` with breaks
``report``     all of it as one page of HTML

All of it is asked of the index by SQL, for any number of sessions at once; no session is read. What is given are
values: the faces show them.
"""
