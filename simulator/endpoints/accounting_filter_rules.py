"""/accounting/field-option-filter-rules: which options people in Ramp can choose, by what they chose before.

Rules of one option are alternatives. All selections of one rule must be met. An option without rules is always offered.
A rule has no id in the answer. The API does not enforce rules when it codes an object; whether Ramp does is unknown.
A batch is checked as a whole: an unknown or deleted field or option refuses it.
"""

from .. import coding, uploads
from ..errors import RampError, make_input_error
from ..listing import Filter, answer_list_page
from ..routes import route
from ..state import Table

LARGEST_BATCH = 1000
TABLES = {'filter_rules': lambda: Table(key='_id', name=lambda row: row['_name'])}
FILTERS = {
    name: Filter(str, lambda row, value, name=name: row[name] == value)
    for name in ('target_field_remote_id', 'target_field_option_remote_id')
}
RULE = ('required_selections', *FILTERS)
SELECTION = ('trigger_field_option_remote_id', 'trigger_field_remote_id')


@route('GET', '/accounting/field-option-filter-rules', scope='accounting:read')
def list_filter_rules(call):
    mine = coding.in_books_of(uploads.find_named_connection(call))
    return answer_list_page(call, 'filter_rules', FILTERS, where=mine)


@route('POST', '/accounting/field-option-filter-rules', scope='accounting:write')
def post_filter_rules(call):
    rules, owner = _read_rules(call)
    for rule in rules:
        _check_rule_options(call.state, owner, rule)
    created = 0
    for rule in rules:
        name = _name_filter_rule(owner, rule)
        if not call.state['filter_rules'].list_named_rows(name):
            call.state['filter_rules'].add_row(
                {
                    **rule,
                    'required_selections': [dict(item) for item in rule['required_selections']],
                    '_id': call.state.make_new_id(),
                    '_connection': owner['id'],
                    '_name': name,
                }
            )
            created += 1
    return {'created_count': created, 'duplicate_count': len(rules) - created}


@route('DELETE', '/accounting/field-option-filter-rules', scope='accounting:write')
def delete_filter_rules(call):
    """Delete the rules that are there. The others only count."""
    rules, owner = _read_rules(call)
    deleted = 0
    for rule in rules:
        for row in call.state['filter_rules'].list_named_rows(_name_filter_rule(owner, rule)):
            call.state['filter_rules'].remove_row(row['_id'])
            deleted += 1
    return {'deleted_count': deleted, 'not_found_count': len(rules) - deleted}


def _read_rules(call):
    """Return (rules, connection). Raise Ramp's errors for a malformed batch."""
    body = uploads.read_checked_fields(call, ('rules',), ('accounting_connection_id',))
    rules = body['rules']
    if not isinstance(rules, list) or not 1 <= len(rules) <= LARGEST_BATCH:
        raise make_input_error('Invalid input', {'rules': [f'Length must be between 1 and {LARGEST_BATCH}.']})
    wrong = {str(place): found for place, rule in enumerate(rules) if (found := _list_rule_complaints(rule))}
    if wrong:
        raise make_input_error('Invalid input', {'rules': wrong})
    return rules, uploads.find_writable_connection(call)


def _list_rule_complaints(rule):
    wrong = uploads.list_field_complaints(rule, RULE, ())
    if wrong:
        return wrong
    if not rule['required_selections']:
        return {'required_selections': ['Shorter than minimum length.']}
    found = [uploads.list_field_complaints(item, SELECTION, ()) for item in rule['required_selections']]
    return {'required_selections': found} if any(found) else {}


def _check_rule_options(state, owner, rule):
    target = rule['target_field_remote_id']
    if target in [item['trigger_field_remote_id'] for item in rule['required_selections']]:
        raise RampError(400, 'DEVELOPER_7001', f'The field {target} cannot filter itself')
    pairs = [(target, rule['target_field_option_remote_id'])]
    pairs += [
        (item['trigger_field_remote_id'], item['trigger_field_option_remote_id'])
        for item in rule['required_selections']
    ]
    for field, option in pairs:
        coding.find_known_option(state, field, option, owner, refuses_deleted=True)


def _name_filter_rule(owner, rule):
    """Return what makes two rules the same: connection, target and selections, in whatever order."""
    needed = {
        (item['trigger_field_remote_id'], item['trigger_field_option_remote_id'])
        for item in rule['required_selections']
    }
    return owner['id'], rule['target_field_remote_id'], rule['target_field_option_remote_id'], tuple(sorted(needed))


def is_option_offered(store, field, option, chosen):
    """Return whether people can choose an option.

    :param chosen: {remote id of a field: remote id of the option chosen in it}
    """
    rules = [
        row
        for row in store['filter_rules']
        if (row['target_field_remote_id'], row['target_field_option_remote_id']) == (field, option)
    ]
    return not rules or any(
        all(
            chosen.get(item['trigger_field_remote_id']) == item['trigger_field_option_remote_id']
            for item in row['required_selections']
        )
        for row in rules
    )
