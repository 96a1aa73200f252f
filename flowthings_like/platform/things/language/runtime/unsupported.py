"""The names of ThingsDB's language that this subset lacks, so that errors tell them from misspellings."""

from __future__ import annotations

from .....wire.things import errors

__all__ = ["undefined_function", "undefined_method", "unsupported"]

_FUNCTIONS = {
    "types of one's own": "new new_type set_type mod_type del_type rename_type has_type type_info types_info "
    "type_count type_all ano",
    "enums": "enum set_enum mod_enum del_enum rename_enum has_enum enum_info enums_info enum_map",
    "tasks": "task tasks",
    "futures": "future",
    "modules": "new_module del_module rename_module refresh_module restart_module module_info modules_info "
    "has_module set_module_conf set_module_scope deploy_module is_module",
    "backups": "new_backup del_backup backup_info backups_info backups_ok has_backup restore",
    "clusters": "new_node del_node shutdown set_log_level",
    "export and import": "export import",
    "histories and commits": "commit history set_history del_history change_id",
    "whitelists": "whitelist_add whitelist_del",
    "dicts and uuids": "dict uuid",
    "such functions": "is_tel",
}
_METHODS = {
    "types of one's own": "wrap unwrap map_wrap map_type to_type to_thing as_thing is_restricted restrict "
    "restriction",
    "enums": "value",
    "tasks": "again_at again_in cancel owner set_owner set_args set_closure args at err",
    "futures": "then else",
    "modules": "expose",
}
_FUNCTION_GROUPS = {name: group for group, names in _FUNCTIONS.items() for name in names.split()}
_METHOD_GROUPS = {name: group for group, names in _METHODS.items() for name in names.split()}

_OF_SCOPES = {
    "thingsdb": "collection_info collections_info del_collection del_expired del_module del_node del_token "
    "del_user deploy_module grant has_collection has_module has_node has_token has_user module_info "
    "modules_info new_collection new_module new_node new_token new_user refresh_module rename_collection "
    "rename_module rename_user restore revoke set_default_deep set_module_conf set_module_scope "
    "set_password set_time_zone time_zones_info user_info users_info whitelist_add whitelist_del",
    "node": "backup_info backups_info backups_ok counters del_backup has_backup new_backup node_info "
    "nodes_info reset_counters restart_module set_log_level shutdown",
}
_SCOPE_OF = {name: scope for scope, names in _OF_SCOPES.items() for name in names.split()}


def unsupported(what: str, group: str) -> errors.LookupError:
    """Return the error for something that only a real ThingsDB runs."""
    return errors.LookupError(f"{what}: this node has no {group}; a real ThingsDB runs it")


def undefined_function(name: str, scope: str) -> errors.LookupError:
    """Return the error for a function that this kind of scope lacks."""
    other = _SCOPE_OF.get(name, scope)
    if other != scope:
        article = "the" if other == "thingsdb" else "a"
        return errors.LookupError(
            f"function `{name}` is undefined in the `@{scope}` scope; "
            f"you might want to query {article} `@{other}` scope?"
        )
    if name in _FUNCTION_GROUPS:
        return unsupported(f"function `{name}`", _FUNCTION_GROUPS[name])
    return errors.LookupError(f"function `{name}` is undefined")


def undefined_method(name: str, type_name: str, message: str = "") -> errors.LookupError:
    """Return the error for a method that this type lacks. `message` replaces the usual one."""
    if name in _METHOD_GROUPS:
        return unsupported(f"function `{name}`", _METHOD_GROUPS[name])
    return errors.LookupError(message or f"type `{type_name}` has no function `{name}`")
