# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import ipaddress
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.tools import SQL

from ..ramp_api import RampAuthError, RampConnectionError, RampError
from .check_answers import CheckResult

# A secret should be replaced after this time
SECRET_AGE = timedelta(days=365)
# A difference of clocks that nobody notices, and one that requests for changes reach back
CLOCK_NOISE, CLOCK_LIMIT = timedelta(minutes=2), timedelta(minutes=15)


def is_this_machine(host):
    """Return whether a host is this machine, so that nobody can read what is sent to it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


class RampConnectionCheck(models.Model):
    """Checks of Ramp's side: the way to Ramp, what it permits, and whose integration it has."""

    _inherit = 'ramp.connection.check'

    # ------------------------------------------------------------------ the way to Ramp

    def _judge_live_database(self, connection, answers):
        if connection.is_copy:
            return CheckResult('error', 'copy', fix_name='connection')
        return CheckResult('ok', 'live')

    def _judge_api_address(self, connection, answers):
        if connection.environment == 'custom' and (fault := connection._api_address_fault()):
            return CheckResult('error', 'fault', {'words': fault}, 'connection')
        address = {'address': connection._api_url()}
        trouble = answers.trouble
        if isinstance(trouble, RampConnectionError):
            return CheckResult('error', 'silent', {**address, 'words': str(trouble)}, 'check_again')
        if isinstance(trouble, RampError) and not isinstance(trouble, RampAuthError):
            parameters = {**address, 'words': str(trouble)}
            if trouble.retryable:
                return CheckResult('warning', 'trouble', parameters, 'check_again')
            return CheckResult('error', 'other', parameters, 'connection')
        if not trouble or not isinstance(trouble, RampError):
            answers.read_answer('scopes')
        parts = urlsplit(connection._api_url())
        if parts.scheme == 'http' and not is_this_machine(parts.hostname or ''):
            return CheckResult('warning', 'plain', address, 'connection')
        return CheckResult('ok', 'answers', address)

    def _judge_client_secret(self, connection, answers):
        if not all(connection._client_credentials()):
            return CheckResult('error', 'missing', fix_name='connection')
        if isinstance(answers.trouble, RampAuthError):
            return CheckResult('error', 'refused', {'words': str(answers.trouble)}, 'connection')
        answers.read_answer('scopes')
        since = connection.credentials_since
        if not since or not connection._has_verified_credentials():
            return CheckResult('ok', 'accepted')
        age = self.env.cr.now() - since
        parameters = {'since_date': fields.Date.to_string(since), 'days': age.days}
        if age > SECRET_AGE:
            return CheckResult('warning', 'old', parameters, 'connection')
        return CheckResult('ok', 'young', parameters)

    def _judge_clock(self, connection, answers):
        [(database,)] = self.env.execute_query(SQL("SELECT clock_timestamp() AT TIME ZONE 'UTC'"))
        here = datetime.now(timezone.utc).replace(tzinfo=None)
        seconds = round((database - here).total_seconds())
        if abs(seconds) > CLOCK_NOISE.total_seconds():
            return CheckResult('warning', 'database', {'seconds': abs(seconds)})
        difference = answers.read_answer('clock')
        if difference is None:
            return CheckResult('unknown', 'untold')
        seconds = round(difference)
        if abs(seconds) <= CLOCK_NOISE.total_seconds():
            return CheckResult('ok', 'right')
        level = 'error' if abs(seconds) > CLOCK_LIMIT.total_seconds() else 'warning'
        return CheckResult(level, 'slow' if seconds > 0 else 'fast', {'seconds': abs(seconds)})

    # ------------------------------------------------------------------ what Ramp permits

    def _judge_business(self, connection, answers):
        business = answers.read_answer('business')
        if (
            connection.ramp_business_id
            and connection.ramp_business_id != business.id
            and (connection.state == 'connected' or connection._has_ledger_rows())
        ):
            return CheckResult(
                'error',
                'other_rows' if connection._has_ledger_rows() else 'other',
                {
                    'other': business.name,
                    'other_id': business.id,
                    'name': connection.ramp_business_name or connection.ramp_business_id,
                    'name_id': connection.ramp_business_id,
                },
                'connection',
            )
        return CheckResult('ok', 'same', {'name': business.name})

    def _judge_scopes(self, connection, answers):
        missing = sorted(set(connection._required_scopes()) - answers.read_answer('scopes'))
        if missing:
            return CheckResult('error', 'missing', {'scopes': missing}, 'copy_scopes')
        return CheckResult('ok', 'complete', {'count': len(connection._required_scopes())})

    def _judge_integration(self, connection, answers):
        active = next((provider for provider in answers.read_answer('providers') if provider.is_active), None)
        holder = active and (active.remote_provider_name or active.connection_type)
        if connection.state != 'connected':
            if active and not (holder == connection._seat_name() and active.connection_type == 'API'):
                return CheckResult('error', 'taken', {'holder': holder})
            return CheckResult('ok', 'free')
        if not active:
            return CheckResult('error', 'released', fix_name='connection')
        if active.id != connection.accounting_connection_id:
            return CheckResult('error', 'lost', {'holder': holder}, 'connection')
        wanted = connection._wanted_seat_settings()
        missing = sorted(name for name, value in wanted.items() if active.settings.get(name, False) != value)
        if missing:
            return CheckResult('warning', 'settings', {'settings': missing}, 'send_settings')
        return CheckResult('ok', 'held', {'name': connection._seat_name()})

    def _judge_entity(self, connection, answers):
        entities = answers.read_answer('entities')
        company = connection.company_id
        if connection.ramp_entity_id and not entities:
            return CheckResult('error', 'missing', {'entity': connection.ramp_entity_id}, 'connection')
        # In superuser mode, so connections of other companies are found, too
        sharing = connection.search(
            [
                ('id', '!=', connection.id),
                ('state', '=', 'connected'),
                ('ramp_business_id', '=', answers.read_answer('business').id),
            ]
        ).filtered(
            lambda other: (
                not (connection.ramp_entity_id and other.ramp_entity_id)
                or other.ramp_entity_id.lower() == connection.ramp_entity_id.lower()
            )
        )
        if sharing and connection.state != 'disconnected':
            return CheckResult('error', 'shared', {'others': sharing.company_id.mapped('name')}, 'connection')
        names = [entity.name or entity.id for entity in entities]
        if not connection.ramp_entity_id:
            return CheckResult('ok', 'every', {'names': names, 'company': company.name})
        currency = entities[0].currency
        if currency and currency != company.currency_id.name:
            parameters = {'names': names, 'currency': currency, 'company': company.name}
            return CheckResult(
                'warning', 'currency', {**parameters, 'own_currency': company.currency_id.name}, 'connection'
            )
        return CheckResult('ok', 'one', {'names': names, 'company': company.name})

    # ------------------------------------------------------------------ webhooks

    def _judge_webhooks(self, connection, answers):
        if not connection.use_webhooks:
            return CheckResult('ok', 'without')
        if connection.state != 'connected':
            return CheckResult('ok', 'draft')
        if not connection._has_public_address():
            return CheckResult('warning', 'private', {'address': connection.get_base_url()})
        webhook = connection._webhook_subscriptions()
        if webhook.state == 'failed':
            return CheckResult('warning', 'refused', fix_name='subscribe')
        if webhook.state != 'active':
            return CheckResult('warning', 'pending', fix_name='subscribe')
        subscriptions = answers.read_answer('subscriptions')
        if not any(item.id == webhook.ramp_id and item.status == 'active' for item in subscriptions):
            return CheckResult('warning', 'gone', fix_name='subscribe')
        if not connection.last_event:
            return CheckResult('ok', 'active')
        return CheckResult('ok', 'heard', {'event_moment': fields.Datetime.to_string(connection.last_event)})

    # ------------------------------------------------------------------ words

    @api.model
    def _get_sentences(self):
        """EXTENDS: Add the sentences of these checks."""
        return {
            **super()._get_sentences(),
            ('live_database', 'live'): self.env._('This is the database that was connected, or will be.'),
            ('live_database', 'copy'): self.env._(
                'This database is a copy of the one that was connected, or was renamed. Ramp is not asked, and nothing '
                'is posted or sent. If the original no longer exists, press "Make This the Live Database" on the '
                'connection. If it does, press Disconnect there.'
            ),
            ('api_address', 'answers'): self.env._('Ramp answers at %(address)s.'),
            ('api_address', 'fault'): self.env._(
                'Odoo cannot use what is entered as the API Address, so nothing is read or sent. %(words)s A system '
                'administrator has to correct it.'
            ),
            ('api_address', 'silent'): self.env._(
                'Nobody answered at %(address)s: %(words)s Nothing is lost: synchronization continues with the first '
                'answer. If this stays, let your server administrator check the way from this server to that address '
                '(name, proxy, firewall).'
            ),
            ('api_address', 'trouble'): self.env._(
                'Ramp answered at %(address)s, but not to everything: %(words)s Odoo tries again in the next run.'
            ),
            ('api_address', 'other'): self.env._(
                'What answers at %(address)s is not the API of Ramp: %(words)s A system administrator has to check '
                'the environment and the API Address.'
            ),
            ('api_address', 'plain'): self.env._(
                '%(address)s is not encrypted, so others in the network can read the client secret. A system '
                'administrator has to enter an address that starts with https://.'
            ),
            ('client_secret', 'accepted'): self.env._('Ramp accepts the client id and secret.'),
            ('client_secret', 'young'): self.env._(
                'Ramp accepts the client id and secret. They have been in use since %(since_date)s (days: %(days)s).'
            ),
            ('client_secret', 'old'): self.env._(
                'The client secret has been in use since %(since_date)s (days: %(days)s). The longer it is in use, the '
                'more people may know it. Make a new one in Ramp (Company > Developer > your app), let a system '
                'administrator enter it here, and delete the old one.'
            ),
            ('client_secret', 'missing'): self.env._(
                'There is no client id and secret, so nothing is read or sent. A system administrator has to enter '
                'them (in Ramp: Company > Developer), or to store them on the server.'
            ),
            ('client_secret', 'refused'): self.env._(
                'Ramp refused the client id and secret, so nothing is read or sent. %(words)s Check also that the app '
                'belongs to the chosen environment and allows the grant "client credentials".'
            ),
            ('clock', 'right'): self.env._("The clock of this server agrees with Ramp's and with the database's."),
            ('clock', 'untold'): self.env._('Ramp did not say what time it is.'),
            ('clock', 'database'): self.env._(
                'The clocks of this server and of the database server are %(seconds)s seconds apart. Waits then last '
                'too short or too long. Let your server administrator synchronize both clocks (NTP).'
            ),
            ('clock', 'slow'): self.env._(
                "The clock of this server is %(seconds)s seconds behind Ramp's. Changes in Ramp are asked for by the "
                'time since the last run, with a quarter of an hour to spare. Let your server administrator '
                'synchronize the clock (NTP).'
            ),
            ('clock', 'fast'): self.env._(
                "The clock of this server is %(seconds)s seconds ahead of Ramp's. Changes in Ramp are asked for by the "
                'time since the last run, with a quarter of an hour to spare. Let your server administrator '
                'synchronize the clock (NTP).'
            ),
            ('business', 'same'): self.env._('The client id and secret belong to the Ramp business "%(name)s".'),
            ('business', 'other'): self.env._(
                'The client id and secret belong to the Ramp business "%(other)s" (%(other_id)s), but the connection '
                'belongs to "%(name)s" (%(name_id)s). Nothing is read, posted or sent. Enter the client id and secret '
                'of an app of "%(name)s". For "%(other)s", press Disconnect, then Connect.'
            ),
            ('business', 'other_rows'): self.env._(
                'The client id and secret belong to the Ramp business "%(other)s" (%(other_id)s), but the connection '
                'belongs to "%(name)s" (%(name_id)s). Nothing is read, posted or sent. Enter the client id and secret '
                'of an app of "%(name)s". For "%(other)s", create a new connection. Press Disconnect on this one, and '
                'archive it.'
            ),
            ('scopes', 'complete'): self.env._('The app in Ramp has all %(count)s permissions that are needed.'),
            ('scopes', 'missing'): self.env._(
                'The app in Ramp lacks permissions, so the runs that need them fail. Allow these scopes for the app in '
                'Ramp (Company > Developer), or switch off what needs them: %(scopes)s. Odoo uses them with its '
                'next token.'
            ),
            ('integration', 'free'): self.env._(
                'Nobody else has the accounting integration of this Ramp business. Press Connect to take it.'
            ),
            ('integration', 'taken'): self.env._(
                'The accounting integration of this Ramp business is taken by "%(holder)s", so Connect would fail. To '
                'use Odoo, disconnect that system in Ramp first (Settings > Accounting).'
            ),
            ('integration', 'held'): self.env._('Odoo has the accounting integration, as "%(name)s".'),
            ('integration', 'lost'): self.env._(
                'The accounting integration of this Ramp business is now held by "%(holder)s", so nothing is sent or '
                'posted. To use Odoo, disconnect that system in Ramp (Settings > Accounting), then press Disconnect '
                'and Connect on the connection.'
            ),
            ('integration', 'released'): self.env._(
                'Odoo was disconnected in Ramp, so nothing is sent or posted. Press Disconnect and Connect on the '
                'connection to take the accounting integration again.'
            ),
            ('integration', 'settings'): self.env._(
                'Ramp has other settings of the integration than Odoo wants: %(settings)s. Vendor credits, or the '
                'buttons Sync in Ramp, are missing without them. Odoo sends its settings every hour. The button sends them now.'
            ),
            ('entity', 'one'): self.env._('The objects of %(names)s are posted in %(company)s.'),
            ('entity', 'every'): self.env._(
                'No entity is chosen, so the objects of the whole Ramp business are posted in %(company)s. Its '
                'entities: %(names)s. If one of them has other books, choose the Ramp Entity of this company.'
            ),
            ('entity', 'missing'): self.env._(
                'The Ramp business has no entity with the id %(entity)s, so nothing would be posted. Copy the id from '
                'Ramp to the field "Ramp Entity", or clear the field.'
            ),
            ('entity', 'currency'): self.env._(
                '%(names)s has the currency %(currency)s in Ramp, but the books of %(company)s are in '
                '%(own_currency)s. Each amount is converted. Check that it is the right entity.'
            ),
            ('entity', 'shared'): self.env._(
                'Another connection of this database posts the same entities of the Ramp business, in %(others)s. '
                'Objects would be posted twice. Choose a Ramp Entity on each of these connections, each another one.'
            ),
            ('webhooks', 'without'): self.env._(
                'Webhooks are off. Changes in Ramp show after at most 15 minutes, card statements after four hours.'
            ),
            ('webhooks', 'active'): self.env._('Ramp notifies Odoo of changes. No event has come so far.'),
            ('webhooks', 'heard'): self.env._('Ramp notifies Odoo of changes. Last event: %(event_moment)s.'),
            ('webhooks', 'private'): self.env._(
                'Ramp cannot reach %(address)s, the address of this Odoo database, so it cannot notify Odoo. Nothing '
                'is missed: the jobs ask every 15 minutes. Set the system parameter web.base.url to a public address '
                'that starts with https, or switch the webhooks off.'
            ),
            ('webhooks', 'refused'): self.env._(
                'Ramp refused the subscription. The page "Real Time" of the connection says why. Nothing is missed: '
                'the jobs ask every 15 minutes.'
            ),
            ('webhooks', 'pending'): self.env._(
                "Odoo waits for Ramp's first call to its address. If none comes within half an hour, Ramp cannot reach "
                'the address: let your server administrator check proxy and firewall. Nothing is missed: the jobs ask '
                'every 15 minutes.'
            ),
            ('webhooks', 'gone'): self.env._(
                'Ramp no longer has the subscription of this connection, so it does not notify Odoo. Nothing is '
                'missed: the jobs ask every 15 minutes. Odoo subscribes again every hour. The button does it now.'
            ),
        }

    @api.model
    def _get_fix_labels(self):
        """EXTENDS: Add the buttons of these checks."""
        return {
            **super()._get_fix_labels(),
            'copy_scopes': self.env._('Copy the Scopes'),
            'send_settings': self.env._('Send the Settings'),
            'subscribe': self.env._('Subscribe Again'),
        }

    # ------------------------------------------------------------------ buttons

    def _fix_copy_scopes(self):
        return {
            'type': 'ir.actions.act_window',
            'name': self.display_name,
            'res_model': self._name,
            'res_id': self.id,
            'views': [(self.env.ref('ramp_connector.ramp_connection_check_view_form').id, 'form')],
            'target': 'new',
        }

    def _fix_send_settings(self):
        self.env['ramp.flow.seat']._trigger()
        return self._notify_queued()

    def _fix_subscribe(self):
        self.env['ramp.flow.webhook']._trigger()
        return self._notify_queued()

    def _notify_queued(self):
        return self.connection_id._notify_user(
            'success',
            self.env._('The job was started'),
            self.env._('It runs in the background. Press Check Again in a minute.'),
        )
