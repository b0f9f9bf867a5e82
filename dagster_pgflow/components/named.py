"""What the YAML of a component names: modules, and what is in them."""

from importlib import import_module
from types import ModuleType
from typing import Any

from dagster_pgflow.errors import ConfigurationError


def named_module(name: str, package: str, attribute: str) -> ModuleType:
    """Import a module that an attribute names.

    Args:
        name: The module, such as `shop.handlers`; `.handlers` is one beside the component.
        package: What the component lies in, as a module.
        attribute: Where it is named, for people.

    Raises:
        ConfigurationError: It cannot be imported.
    """
    full = f"{package}{name}" if name.startswith(".") else name
    try:
        return import_module(full)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f'{attribute} names the module "{name}", and importing {full} failed with {why}.'
        ) from error


def named_object(name: str, package: str, attribute: str) -> Any:
    """Return something in a module that an attribute names.

    Args:
        name: The object behind its module, such as `shop.executors.many`, or `.executors.many`.
        package: What the component lies in, as a module.
        attribute: Where it is named, for people.

    Raises:
        ConfigurationError: There is no such module, or no such thing in it.
    """
    module_name, _, object_name = name.rpartition(".")
    if not module_name.strip("."):
        raise ConfigurationError(
            f'{attribute} is "{name}"; name something in a module, such as "shop.flows.mine".'
        )
    module = named_module(module_name, package, attribute)
    if not hasattr(module, object_name):
        raise ConfigurationError(
            f'{attribute} is "{name}", and module {module.__name__} has no "{object_name}".'
        )
    return getattr(module, object_name)
