"""Templates: what sessions of one kind begin with, as a TOML file and the files beside it.

``template``      what one says, as values; ``reading`` makes them of the file, ``keys`` of one table of it
``places``        where templates are looked for
``variables``     values for its variables; ``substitution`` fills them in
``filled``        what a session is to be; ``content`` the files beside the template; ``hooks`` its programs
``making``        the session, all of it or none
``writing``       a template made from a session; ``toml`` how that is written
``examples/``     two of them, from the seeds

A session keeps the template's name and the values in its first record, and is its own from then on: what becomes of the
template changes no session, but for programs that are its hooks.
"""

from sessionfs.templates.making import check_template, make_session
from sessionfs.templates.places import Found, NoSuchTemplate, Places, user_directory
from sessionfs.templates.reading import read_template
from sessionfs.templates.template import BadTemplate, Source, Template, Variable
from sessionfs.templates.variables import BadVariable, parse_values
from sessionfs.templates.writing import TemplateExists, Written, write_template

__all__ = [
    "BadTemplate",
    "BadVariable",
    "Found",
    "NoSuchTemplate",
    "Places",
    "Source",
    "Template",
    "TemplateExists",
    "Variable",
    "Written",
    "check_template",
    "make_session",
    "parse_values",
    "read_template",
    "user_directory",
    "write_template",
]
