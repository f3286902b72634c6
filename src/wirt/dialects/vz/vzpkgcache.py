"""``vzpkgcache``: the templates that containers are made from, built from their metadata, or brought up to date."""

from collections.abc import Mapping, Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, program
from wirt.dialects.vz.codes import Code
from wirt.dialects.vz.options import read_options
from wirt.errors import Error, InvalidInput, NotFound
from wirt.model.home import Home
from wirt.model.template import TemplateSpec
from wirt.ops.context import Context
from wirt.ops.template import prepare_forms, remove_template, update_template

USAGE = "Usage: vzpkgcache [-r] [<template> ...]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    options, names = read_options(
        arguments, ["remove", "help"], short={"-r": "remove", "-h": "help"}
    )
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if "remove" in given and not names:
        raise InvalidInput("say which templates are to be removed", hint=USAGE)
    home = app.find_home()
    with app.open_context(home) as context:
        specs = app.find_specs(home)
        wanted = [conf.template_of(home, name) for name in names] or _usual(context, home, specs)
        if "remove" in given:
            for name in wanted:
                remove_template(context, name)
                output.say(f"Cache of {name} removed")
            return Code.OK
        for name in wanted:
            if name not in specs:
                raise NotFound(
                    f"there is no metadata of a template {name}",
                    hint="see wirt template list, or put it into templates.d",
                )
        # One that cannot be built keeps nobody from having the others.
        return max([_make(context, home, specs[name]) for name in wanted], default=Code.OK)


def _usual(context: Context, home: Home, specs: Mapping[str, TemplateSpec]) -> list[str]:
    """Return the templates that are meant when none is named: what is built of metadata, and what containers are made from."""
    built = {template.name for template in context.templates.list() if not template.imported}
    default = conf.template_of(home, conf.read_global(home).get("DEF_OSTEMPLATE") or "")
    return sorted(set(specs) & (built | {default}))


def _make(context: Context, home: Home, spec: TemplateSpec) -> int:
    try:
        try:
            context.templates.get(spec.name)
        except NotFound:
            output.say(f"Creating cache of {spec.name}")
            context.templates.build(spec, progress=output.note)
            prepare_forms(context, spec.name, progress=output.note)
            output.say(f"Cache of {spec.name} created")
            return Code.OK
        updated = update_template(context, app.open_packages(home), spec, progress=output.note)
    except Error as error:
        output.note(f"Cache of {spec.name} cannot be made: {error}")
        return 1
    output.say(f"Cache of {spec.name} {'updated' if updated else 'is up to date'}")
    return Code.OK
