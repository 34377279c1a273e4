"""Check requests and answers against Ramp's OpenAPI file.

The file is Ramp's and not part of this repository. The environment variable RAMP_OPENAPI names it. Without the file the
simulator still runs and makes only the checks in its endpoints. On CI it refuses to start.

The file disagrees with live observations in some places. The simulator follows the observations:
* The token endpoint takes a form, not JSON.
* Body fields that are not in the schema are refused, though the file allows them.
* `updated_after` of /transactions works, though it is not listed. Unknown parameters are ignored anyway.
* page_size has no bounds in the file, but only 2..100 is accepted.
* Answers may have more keys than the schema, because newer contracts add some.

The file requires a body for some DELETE requests. It is not known whether Ramp insists on it; the simulator does not.
"""

import functools
import json
import os
import re
import uuid
from datetime import date, datetime
from pathlib import Path

from . import errors

try:
    import jsonschema
except ImportError:
    jsonschema = None

CONTRACT_VERSION = '2026-08-01'
DEFAULT_PATH = Path(__file__).resolve().parents[2] / f'shared/ramp-api/openapi/developer-api.{CONTRACT_VERSION}.json'


def find_contract_file():
    """Return the path where the contract's file is expected."""
    return Path(os.environ.get('RAMP_OPENAPI') or DEFAULT_PATH)


def load_contract():
    """Return the contract. Return None if its file or jsonschema is missing and this is not CI."""
    path = find_contract_file()
    missing = None
    if not path.is_file():
        missing = f"Ramp's OpenAPI file is not at {path}; set RAMP_OPENAPI"
    elif jsonschema is None:
        missing = 'the Python package jsonschema is not installed'
    if not missing:
        return _read_contract_file(str(path))
    if os.environ.get('CI') == 'true':
        raise RuntimeError(f'The simulator cannot check the contract: {missing}.')
    return None


@functools.lru_cache(maxsize=2)
def _read_contract_file(path):
    with open(path, encoding='utf-8') as file:
        return Contract(json.load(file))


class Contract:
    def __init__(self, document):
        self._schemas = document['components']['schemas']
        self._operations = {}
        for path, item in document['paths'].items():
            shared = item.get('parameters', [])
            for method in ('get', 'post', 'put', 'patch', 'delete'):
                if method in item:
                    operation = item[method]
                    self._operations[method.upper(), path] = {
                        **operation,
                        'parameters': shared + operation.get('parameters', []),
                    }
        self._converted = {}
        self._validators = {}

    def has_route(self, route):
        return (route.method, route.path_template) in self._operations

    def requires_ramp_plus(self, route):
        """Return whether only a business with Ramp Plus may call this route."""
        return bool(self._operations[route.method, route.path_template].get('x-ramp-plus-required'))

    def find_required_scope(self, route):
        """Return the scope that a route requires, or None. The file names at most one per operation."""
        for choice in self._operations[route.method, route.path_template].get('security', []):
            for scopes in choice.values():
                return scopes[0] if scopes else None
        return None

    def list_query_names(self, route):
        return {
            p['name'] for p in self._operations[route.method, route.path_template]['parameters'] if p['in'] == 'query'
        }

    def wants_request_body(self, route):
        wanted = self._operations[route.method, route.path_template].get('requestBody') or {}
        return route.method != 'DELETE' and bool(wanted) and wanted.get('required', True)

    # -- requests

    def check_request(self, route, query, body):
        """Raise Ramp's 422 for whatever the schema does not allow. Unknown query parameters are ignored."""
        operation = self._operations[route.method, route.path_template]
        for parameter in operation['parameters']:
            name = parameter['name']
            if parameter['in'] != 'query':
                continue
            if name not in query:
                if parameter.get('required'):
                    raise errors.make_field_error(name, 'Missing data for required field.')
                continue
            texts = query.getlist(name)
            if parameter['schema'].get('type') == 'array' and parameter.get('explode') is False:
                texts = [part for text in texts for part in text.split(',')]
            values = [_convert_query_value(text, parameter['schema']) for text in texts]
            if parameter['schema'].get('type') != 'array':
                values = values[0]
            self._refuse_invalid_value(('query', route, name), parameter['schema'], values, name)
        schema = _find_json_schema(operation.get('requestBody'))
        if schema is not None and (body is not None or self.wants_request_body(route)):
            self._refuse_invalid_value(('body', route), schema, body)

    def _refuse_invalid_value(self, key, schema, value, name=None):
        found = list(self._provide_validator(key, schema, closed=True).iter_errors(value))
        if found:
            fields = {}
            for error in found:
                _report_schema_error(fields, ([name] if name else []) + list(error.absolute_path), error)
            raise errors.make_input_error('Invalid input', fields)

    # -- answers

    def list_answer_errors(self, route, status, body, rows=None, rows_in='data'):
        """Return the contract errors of an answer, as texts. Error answers have no schema in the file.

        :param rows: the stored rows behind `body[rows_in]`; a row that was valid once is not checked again
        """
        if status >= 400:
            return []
        responses = self._operations[route.method, route.path_template]['responses']
        if str(status) not in responses:
            return [f'status {status} is not in the contract']
        if status == 204:
            # Some 204 answers have an empty object as schema in the file, but a 204 cannot have a body.
            return [] if body is None else ['a 204 has no body']
        schema = _find_json_schema(responses[str(status)])
        if schema is None:
            return [] if body in (None, {}) else ['the contract wants no body']
        fresh = None
        if rows and len(rows) == len(body[rows_in]):
            fresh = [i for i, row in enumerate(rows) if not row.get('_valid') and not row.get('_broken')]
            body = {**body, rows_in: [body[rows_in][i] for i in fresh]}
        validator = self._provide_validator(('answer', route, status), schema, closed=False)
        found = [f'{"/".join(map(str, error.absolute_path))}: {error.message}' for error in validator.iter_errors(body)]
        if fresh and not found:
            for i in fresh:
                rows[i]['_valid'] = True
        return found

    # -- OpenAPI 3.0 to JSON Schema

    def _provide_validator(self, key, schema, closed):
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft7Validator(
                self._convert_schema(schema, closed), format_checker=FORMAT_CHECKER
            )
        return self._validators[key]

    def _convert_schema(self, node, closed, within=()):
        """Convert a schema. References are resolved to shared parts. A recursive reference accepts anything."""
        if '$ref' in node:
            name = node['$ref'].rpartition('/')[2]
            if name in within:
                return {}
            key = name, closed
            if key not in self._converted:
                self._converted[key] = self._convert_schema(self._schemas[name], closed, (*within, name))
            return self._converted[key]
        schema = {}
        for word, value in node.items():
            if word == 'properties':
                schema[word] = {name: self._convert_schema(sub, closed, within) for name, sub in value.items()}
            elif word in ('items', 'not'):
                schema[word] = self._convert_schema(value, closed, within)
            elif word == 'additionalProperties':
                schema[word] = value if isinstance(value, bool) else self._convert_schema(value, closed, within)
            elif word == 'allOf':
                # Under allOf, a part must not refuse the fields of another part.
                schema[word] = [self._convert_schema(sub, closed and len(value) == 1, within) for sub in value]
            elif word in ('oneOf', 'anyOf'):
                # The alternatives in the file overlap, and one may match everything. So oneOf cannot be taken
                # literally.
                schema['anyOf'] = [self._convert_schema(sub, closed, within) for sub in value]
            elif word in (
                'type',
                'enum',
                'format',
                'required',
                'minimum',
                'maximum',
                'minLength',
                'maxLength',
                'minItems',
                'maxItems',
                'uniqueItems',
                'pattern',
            ):
                schema[word] = value
        if closed and 'properties' in schema:
            schema.setdefault('additionalProperties', False)
        if node.get('nullable'):
            schema = {'anyOf': [{'type': 'null'}, schema]}
        return schema


def _find_json_schema(part):
    return ((part or {}).get('content') or {}).get('application/json', {}).get('schema')


def _convert_query_value(text, schema):
    """Convert the text of a query parameter to the schema's type.

    Return the text if that fails; the schema then refuses it.
    """
    kind = schema.get('items', schema).get('type')
    try:
        if kind == 'integer':
            return int(text)
        if kind == 'number':
            return float(text)
        if kind == 'boolean':
            return {'true': True, 'false': False, '1': True, '0': False}[text.lower()]
    except (ValueError, KeyError):
        pass
    return text


def _report_schema_error(fields, path, error):
    """Add a schema error to `fields` in the form of Ramp's validation: nested by field, with lists of sentences."""
    if error.validator == 'anyOf' and error.context:
        # In "null or X", only the errors of X are useful to the client.
        real = [sub for sub in error.context if sub.validator_value != 'null']
        for sub in real:
            _report_schema_error(fields, path + list(sub.path), sub)
        return
    texts = {
        'required': 'Missing data for required field.',
        'additionalProperties': 'Unknown field.',
        'enum': 'Must be one of the allowed values.',
        'minItems': 'Shorter than minimum length.',
        'maxItems': 'Longer than maximum length.',
        'type': f'Not a valid {error.validator_value}.',
        'format': f'Not a valid {error.validator_value}.',
    }
    if error.validator == 'required':
        names = [name for name in error.validator_value if name not in error.instance]
    elif error.validator == 'additionalProperties':
        names = [name for name in error.instance if name not in error.schema.get('properties', {})]
    else:
        names = [None]
    for name in names:
        spot = fields
        steps = [str(step) for step in path] + ([name] if name else [])
        for step in steps[:-1]:
            spot = spot.setdefault(step, {})
            if not isinstance(spot, dict):
                return
        last = steps[-1] if steps else '_schema'
        sentence = texts.get(error.validator, error.message)
        if isinstance(spot.setdefault(last, []), list) and sentence not in spot[last]:
            spot[last].append(sentence)


def _is_iso_time(text):
    # A date without a time is refused. A time without an offset is accepted.
    if 'T' not in text:
        raise ValueError('no time')
    datetime.fromisoformat(re.sub(r'Z$', '+00:00', text))
    return True


def _make_format_checker():
    if jsonschema is None:
        return None
    checker = jsonschema.FormatChecker(formats=())
    for name, check in {
        'uuid': lambda text: bool(uuid.UUID(text)) and len(text) == 36,
        'date-time': _is_iso_time,
        'date': lambda text: len(text) == 10 and bool(date.fromisoformat(text)),
        'email': lambda text: re.fullmatch(r'[^@\s]+@[^@\s]+', text) is not None,
        'url': lambda text: re.match(r'https?://[^/\s]+', text) is not None,
        'decimal': lambda text: re.fullmatch(r'[+-]?\d+(\.\d+)?', text) is not None,
    }.items():
        checker.checks(name, raises=ValueError)(functools.partial(_check_text_only, check))
    return checker


def _check_text_only(check, value):
    return check(value) if isinstance(value, str) else True


FORMAT_CHECKER = _make_format_checker()
