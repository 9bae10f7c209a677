"""``consentivr prompts``: what callers hear, as text and as sound."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from consentivr.cli.common import CONFIG, Refused, load_configuration
from consentivr.config import announcing
from consentivr.config.model import SAMPLE_RATES
from consentivr.resources import shipped


@click.group()
def prompts() -> None:
    """The announcements that callers hear."""


@prompts.command("build")
@CONFIG
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Default: sounds.folder.")
@click.option(
    "--program",
    help="Text-to-speech command with {language}, {text} and {output}.  [default: Pico, if 'consentivr[voices]' is "
    "installed and knows the language, else espeak-ng]",
)
@click.option(
    "--force", is_flag=True, help="Also make anew what is up to date, and replace files that we did not make."
)
def prompts_build(config_path: Path, out: Path | None, program: str | None, force: bool) -> None:
    """Make the announcements from their texts, where they are missing or out of date."""
    from consentivr.prompts import BuildError, build
    from consentivr.service.build import sounds_folder

    configuration = load_configuration(config_path)
    folder = out or sounds_folder(configuration)
    try:
        made = build(
            folder,
            configuration.sound_files(),
            SAMPLE_RATES,
            heard=configuration.heard_files(),
            program=program,
            force=force,
            progress=lambda path, what: click.echo(f"{what}: {path}"),
        )
    except (BuildError, OSError) as error:
        raise Refused(str(error)) from None
    click.echo(f"{made} file(s) made")


@prompts.command("preview")
@CONFIG
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("announcements.html"),
    show_default=True,
    help="One page that holds all sounds.",
)
@click.option("--shipped", "ours", is_flag=True, help="All languages that we ship, whatever is configured.")
def prompts_preview(config_path: Path, out: Path, ours: bool) -> None:
    """Make a page of all announcements, to read and to listen to in a browser, as a telephone plays them."""
    from consentivr.prompts.preview import page
    from consentivr.service.build import sounds_folder

    configuration = load_configuration(shipped("sounds") / "all.yaml" if ours else config_path)
    html = page(sounds_folder(configuration), configuration.sound_files(), SAMPLE_RATES[0])
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {out}: {error.strerror}") from None
    click.echo(f"{out}: open it in a browser ({len(html) / 1e6:.1f} MB)")


@prompts.command("texts")
@click.argument("language", required=False)
def prompts_texts(language: str | None) -> None:
    """Print our wording in LANGUAGE as a section of the configuration, to start your own from.

    Without LANGUAGE: the languages that we have a wording in.
    """
    if language is None:
        click.echo(" ".join(announcing.languages()))
        return
    texts = announcing.ours(language)
    if not texts:
        raise Refused(f"we have no wording in '{language}', only in: {' '.join(announcing.languages())}")
    section = {"announcements": {language: {announcement.value: text for announcement, text in texts.items()}}}
    click.echo(yaml.safe_dump(section, allow_unicode=True, sort_keys=False, width=110), nl=False)
