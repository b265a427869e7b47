import pytest

from sessionfs.durable import Mode
from sessionfs.store.config import (
    KEYS,
    PROFILES,
    BadConfig,
    Config,
    TagRule,
    parse_config,
    parse_duration,
    parse_size,
)


def test_nothing_said_is_every_default():
    assert parse_config("", "c") == parse_config("# only a comment\n\n", "c") == Config()


def test_the_guarded_profile_says_what_the_design_says():
    config = parse_config(PROFILES["guarded"], "c")
    assert (config.max_sessions, config.max_artifacts_per_session) == (100, 1000)
    assert config.max_artifact_bytes == 100 << 20
    assert config.timeout_ns == 3600 * 10**9


def test_every_key_is_read():
    values = {"enabled": "false", "audit_reads": "true", "mode": '"full"'}
    text = "".join(f"{key} = {values.get(key.partition('.')[2], '7')}\n" for key in KEYS)
    config = parse_config(text + "[retention.tag.draft]\nkeep_versions = 2\n", "c")
    assert config.of_tags == (TagRule("draft", "keep_versions", 2),)
    assert config.mode is Mode.FULL and config.compress is False and config.audit_reads is True
    assert config.max_artifact_bytes == 7 and config.trash_grace_ns == 7 * 10**9
    assert all(mine != default for mine, default in zip(config, Config(), strict=True))


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("[limits]\nmax_session = 5", "limits.max_sessions"),
        ("[limit]\nmax_sessions = 5", "limits.max_sessions"),
        ("[durability]\nmod = 'full'", "durability.mode"),
        ("max_artifact_size = 1", "limits.max_artifact_size"),
        ("[compresion]", "compression"),
        ("limits = 5", "limits"),
        ("[retention.tag.draft]\nkeep_version = 5", "retention.tag.draft.keep_versions"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text, nearest):
    with pytest.raises(BadConfig, match=f"unknown key.*nearest known one is '{nearest}"):
        parse_config(text, "/s/config.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\nmax_sessions = -1",
        "[limits]\nmax_sessions = 1.5",
        "[limits]\nmax_sessions = true",
        "[limits]\nmax_artifact_size = '100 bananas'",
        "[limits]\nmax_artifact_size = inf",
        "[limits]\nmax_artifact_size = nan",
        "[durability]\nmode = 'fast'",
        "[durability]\ninterval = ''",
        "[compression]\nenabled = 'yes'",
        "[retention]\nkeep_versions = 0",
        "[retention.tag.draft]\nkeep_versions_for = 'always'",
        "not toml",
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(text):
    with pytest.raises(BadConfig, match=r"/s/config\.toml"):
        parse_config(text, "/s/config.toml")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (5, 5),
        ("5", 5),
        ("1k", 1024),
        ("1 KiB", 1024),
        ("1kB", 1000),
        ("1.5 MiB", 3 << 19),
        ("2g", 2 << 30),
        ("1TB", 10**12),
    ],
)
def test_sizes_take_units(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [(30, 30), ("90", 90), ("1m", 60), ("1.5h", 5400), ("30d", 30 * 86_400), ("1w", 604_800)]
)
def test_durations_take_units(text, seconds):
    assert parse_duration(text) == seconds * 10**9


def test_a_duration_may_be_less_than_a_second():
    assert parse_duration("250ms") == parse_duration(0.25) == 250_000_000


@pytest.mark.parametrize("value", ["9" * 400 + ".5d", "9" * 5000, float("inf"), float("nan"), 1e308, 10**18])
def test_no_time_and_no_size_is_larger_than_can_be_counted(value):
    for parse in (parse_duration, parse_size):
        with pytest.raises(ValueError, match=r"is not a (time|size) such as"):
            parse(value)
