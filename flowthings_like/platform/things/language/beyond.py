"""What ThingsDB's language has and this subset has not: so that an error can tell it from a misspelling."""

from __future__ import annotations

from .... import things_errors as errors

__all__ = ["not_here", "undefined"]

_NAMES = {
    "types of one's own": "new new_type set_type mod_type del_type rename_type has_type type_info types_info "
    "type_count type_all wrap unwrap map_wrap map_type map_id to_type as_thing is_restricted restrict "
    "restriction ano is_ano",
    "enums": "enum set_enum mod_enum del_enum rename_enum has_enum enum_info enums_info enum_map is_enum "
    "value",
    "tasks": "task tasks again_at again_in cancel owner set_owner set_args set_closure args is_task at",
    "futures": "future then else is_future",
    "modules": "new_module del_module rename_module refresh_module restart_module module_info modules_info "
    "has_module set_module_conf set_module_scope deploy_module is_module expose",
    "backups": "new_backup del_backup backup_info backups_info backups_ok has_backup restore",
    "clusters": "new_node del_node has_node shutdown set_log_level",
    "export and import": "export import dump",
    "histories and commits": "commit history set_history del_history",
    "times with zones": "timeval is_timeval is_time_zone extract move week weekday yday zone to format",
    "whitelists": "whitelist_add whitelist_del",
    "such functions": "is_email is_tel is_url is_uuid doc search set_default_deep randstr root",
}
_GROUPS = {name: group for group, names in _NAMES.items() for name in names.split()}


def not_here(what: str, group: str) -> errors.LookupError:
    """The error for something that a real ThingsDB runs."""
    return errors.LookupError(f"{what}: this node has no {group}; a real ThingsDB runs it")


def undefined(name: str, where: str) -> errors.LookupError:
    """The error for a function that is not here. `where` says of what: "type `int`", "the `@node` scope"."""
    group = _GROUPS.get(name)
    if group is not None:
        return not_here(f"function `{name}`", group)
    return errors.LookupError(f"{where} has no function `{name}`")
