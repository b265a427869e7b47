"""The tables of the index of texts. It knows texts and nothing else: what has them, the index knows.

``contents`` has each object that was looked at, ``content_words`` the words of those that have text. ``labels`` has
each combination of name, description and tags that an artifact or a session has or had. Neither is ever removed or
changed: what nothing has any more is not asked for. So an index that is made anew, or many copies of one content, cost
nothing here. ``events`` has the records that say something, by their place in a log; what was read of a log that is
another one now is deleted there, and its words stay behind under numbers that are not used again. ``followed`` says up
to where a session's log was taken in.

``content=''``: the words only. Contents are read again for the few that are shown.
"""

from __future__ import annotations

from sessionfs.index.sqlite import Form

# What was made of a content.
NO_TEXT, TEXT, WAITING = 0, 1, 2
"""WAITING: there would be text if what reads it were installed."""

_TOKENS = "content='', tokenize='unicode61 remove_diacritics 2'"

_TABLES = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE contents (key INTEGER PRIMARY KEY, oid BLOB UNIQUE, state INTEGER);
CREATE INDEX contents_waiting ON contents (key) WHERE state = {WAITING};
CREATE VIRTUAL TABLE content_words USING fts5(text, {_TOKENS});

CREATE TABLE labels (key INTEGER PRIMARY KEY, name TEXT, description TEXT, tags TEXT, UNIQUE (name, description, tags));
CREATE VIRTUAL TABLE label_words USING fts5(name, description, tags, {_TOKENS});

CREATE TABLE events (key INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, seq INTEGER);
CREATE UNIQUE INDEX events_by_session ON events (session, seq);
CREATE VIRTUAL TABLE event_words USING fts5(type, text, {_TOKENS});

CREATE TABLE followed (session TEXT PRIMARY KEY, seq INTEGER, offset INTEGER, chain TEXT, base INTEGER) WITHOUT ROWID
"""

TEXTS = Form("the index of texts", 0x73665458, 1, _TABLES)  # "sfTX", which file(1) shows
