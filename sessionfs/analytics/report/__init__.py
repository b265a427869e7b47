"""Numbers as a page for a browser.

``page``    the whole: what it shows, and its frame; ``style.css``
``parts``   its parts, each from its numbers
``charts``  bars, columns and parts of a whole, as SVG
``lanes``   a timeline, as SVG
``bins``    days put together
``html``    text that cannot be broken out of
"""

from sessionfs.analytics.report.page import Report, format_report

__all__ = ["Report", "format_report"]
