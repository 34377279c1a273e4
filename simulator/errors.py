"""Ramp's error answers (developer guide, "Error handling")."""


class RampError(Exception):
    """An error answer. `fields` is {field: [message, ...]}, sent as `additional_info` and as the legacy `error`."""

    def __init__(self, status, code, message, fields=None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or {}

    def build_body(self):
        return {
            'error_v2': {'error_code': self.code, 'message': self.message, 'additional_info': self.fields, 'notes': ''},
            'error': self.fields or {'message': self.message},
        }


class OAuthError(RampError):
    """An error of the token endpoint, which follows RFC 6749: `error` is a code, not an object."""

    def __init__(self, status, error, description):
        super().__init__(status, 'DEVELOPER_7000', description)
        self.error = error

    def build_body(self):
        return {**super().build_body(), 'error': self.error, 'error_description': self.message}


def make_input_error(message, fields=None):
    return RampError(422, 'DEVELOPER_7001', message, fields)


def make_field_error(field, message):
    return make_input_error(message, {field: [message]})


def make_missing_error(what='Object'):
    return RampError(404, 'DEVELOPER_7002', f'{what} not found')
