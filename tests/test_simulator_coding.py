"""The simulator's coding data: accounts, vendors, fields and options, taxes. Each rule of Ramp is tested over real
HTTP.
"""

import functools
import time
import unittest
from typing import NamedTuple
from unittest.mock import patch

import requests

from odoo.tests import tagged

from ..simulator import Seed, Simulator, coding
from .test_simulator import CONTRACT, SimulatorCase

NOBODY = '00000000-0000-4000-8000-000000000000'


class Kind(NamedTuple):
    path: str
    items: str  # the key for the objects of an upload
    item: dict  # the keys of an object, besides its id
    rename: dict  # an allowed change
    exists: str = 'DEVELOPER_7001'
    readable: bool = True  # it can be read by its ramp_id
    undeletable: bool = True  # PATCH knows `reactivate`


def each_kind(test):
    """Run the test once for every kind of object that is uploaded in batches."""

    @functools.wraps(test)
    def run(self):
        for name, kind in self.kinds.items():
            with self.subTest(name):
                test(self, kind)

    return run


class CodingCase(SimulatorCase):
    seed = {'transactions': 0, 'accounts': [{'id': 'seeded', 'name': 'Seeded'}]}

    def setUp(self):
        super().setUp()
        self.connection = self.client.seat().json()['id']
        self.account = self.client.get('/accounting/accounts').json()['data'][0]['ramp_id']
        self.field = self.add_field('project').json()['ramp_id']
        self.client.post('/accounting/tax/code', json={'name': 'Tax'})
        self.client.post('/accounting/inventory-item', json={'name': 'Item'})

    @property
    def kinds(self):
        rate = {'name': 'VAT', 'rate': '0.19', 'accounting_gl_account_id': self.account}
        return {
            'accounts': Kind(
                '/accounting/accounts',
                'gl_accounts',
                {'name': 'Travel', 'classification': 'EXPENSE'},
                {'name': 'Trips', 'code': '6200', 'visibility': 'HIDDEN', 'entity_remote_ids': ['e1']},
                exists='DEVELOPER_7020',
            ),
            'vendors': Kind(
                '/accounting/vendors',
                'vendors',
                {'name': 'Amazon'},
                {'name': 'AMZN', 'code': '7', 'entity_remote_ids': ['e1']},
            ),
            'options': Kind(
                '/accounting/field-options',
                'options',
                {'value': 'Moon'},
                {
                    'value': 'Mars',
                    'code': 'M',
                    'display_name': 'Red',
                    'visibility': 'HIDDEN',
                    'entity_remote_ids': ['e1'],
                },
            ),
            'rates': Kind(
                '/accounting/tax/rates',
                'tax_rates',
                rate,
                {'name': 'VAT 20', 'rate': '0.20'},
                readable=False,
                undeletable=False,
            ),
            'tax options': Kind(
                '/accounting/tax/code/options',
                'options',
                {'name': 'Standard'},
                {'name': 'Full', 'entity_remote_ids': ['e1']},
                readable=False,
                undeletable=False,
            ),
            'inventory items': Kind(
                '/accounting/inventory-item/options',
                'options',
                {'name': 'Widget', 'gl_account_id': self.account},
                {'name': 'Gadget', 'entity_remote_ids': ['e1']},
                readable=False,
            ),
        }

    def add_field(self, ident, **values):
        body = {'id': ident, 'name': ident.title(), 'input_type': 'SINGLE_CHOICE', **values}
        return self.client.post('/accounting/fields', json=body)

    def upload(self, kind, *idents, **values):
        body = {kind.items: [{'id': ident, **kind.item, **values} for ident in idents]}
        if kind.path == '/accounting/field-options':
            body['field_id'] = self.field
        return self.client.post(kind.path, json=body)

    def listed(self, kind, **params):
        if kind.path == '/accounting/field-options':
            params['field_id'] = self.field
        return {row['id']: row for row in self.client.every(kind.path, **params)}

    def stored(self):
        """Return all stored data as a person sees it, to show that a refusal wrote nothing."""
        return self.client.get('/_simulator/coding').json()


@tagged('ramp_simulator')
class TestUploads(CodingCase):
    @each_kind
    def test_upload_and_read_back(self, kind):
        before = set(self.listed(kind))
        answer = self.upload(kind, 'b', 'a')
        self.assertEqual(answer.status_code, 201)
        rows = answer.json()[kind.items]
        self.assertEqual([row['id'] for row in rows], ['b', 'a'])
        self.assertEqual({row['accounting_connection_id'] for row in rows}, {self.connection})
        if 'uploaded' in answer.json():
            self.assertEqual(answer.json()['uploaded'], [row['ramp_id'] for row in rows])
        self.assertEqual({row.get('provider_name', 'Odoo') for row in rows}, {'Odoo'})
        for row in rows:
            self.assertEqual(row, {**row, **kind.item})
        listed = self.listed(kind)
        self.assertEqual(set(listed), before | {'a', 'b'})
        self.assertEqual(listed['a'], rows[1])
        if kind.readable:
            self.assertEqual(self.client.get(f'{kind.path}/{rows[0]["ramp_id"]}').json(), rows[0])
            self.assertRefused(self.client.get(f'{kind.path}/{NOBODY}'), 404, 'DEVELOPER_7002')

    def test_shapes(self):
        kinds = self.kinds
        rows = {name: self.upload(kind, '1').json()[kind.items][0] for name, kind in kinds.items()}
        self.assertEqual({name for name, row in rows.items() if 'visibility' in row}, {'accounts', 'options'})
        self.assertEqual(rows['accounts']['gl_account_category_info']['id'], 'Category')
        self.assertEqual(rows['vendors']['vendor_category_info']['id'], 'Merchant')
        self.assertTrue(rows['vendors']['is_synced'])
        self.assertEqual(rows['rates']['rate'], '0.19')
        for name in ('accounts', 'vendors', 'options', 'tax options'):
            self.assertIsNone(rows[name]['entity_remote_ids'])

    @each_kind
    def test_known_ids_refuse_the_whole_batch(self, kind):
        made = self.upload(kind, 'there', 'deleted').json()[kind.items]
        self.client.delete(f'{kind.path}/{made[1]["ramp_id"]}', json={})
        before = self.stored()
        for batch, wrong in (
            (['new', 'there'], ['there']),
            (['new', 'deleted'], ['deleted']),
            (['there', 'new', 'deleted'], ['there', 'deleted']),
            (['new', 'twice', 'twice'], ['twice']),
        ):
            answer = self.upload(kind, *batch)
            self.assertRefused(answer, 400, kind.exists)
            error = answer.json()['error_v2']
            self.assertEqual(list(error['additional_info']), wrong)
            self.assertTrue(all(ident in error['message'] for ident in wrong))
            self.assertEqual(self.stored(), before)
        self.assertEqual(self.upload(kind, 'new').status_code, 201)

    def test_what_the_seed_put_there_is_known(self):
        self.assertRefused(self.upload(self.kinds['accounts'], 'seeded'), 400, 'DEVELOPER_7020')

    @each_kind
    def test_1_to_500(self, kind):
        before = self.stored()
        for count in (0, 501):
            answer = self.upload(kind, *map(str, range(count)))
            self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(self.stored(), before)
        self.assertEqual(self.upload(kind, *map(str, range(500))).status_code, 201)

    @each_kind
    def test_malformed_item_refuses_the_whole_batch(self, kind):
        before = self.stored()
        answer = self.upload(kind, 'a', 'b', color='red')
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(answer.json()['error_v2']['additional_info'][kind.items]['1'], {'color': ['Unknown field.']})
        name = 'value' if 'value' in kind.item else 'name'
        body = {kind.items: [{'id': 'a', **kind.item}, {'id': 'b'}], 'field_id': self.field}
        if kind.path != '/accounting/field-options':
            del body['field_id']
        answer = self.client.post(kind.path, json=body)
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertIn(name, answer.json()['error_v2']['additional_info'][kind.items]['1'])
        self.assertEqual(self.stored(), before)

    @each_kind
    def test_patch(self, kind):
        row = self.upload(kind, 'a').json()[kind.items][0]
        self.clock.forward(hours=1)
        path = f'{kind.path}/{row["ramp_id"]}'
        changed = self.client.patch(path, json=kind.rename)
        self.assertEqual(changed.status_code, 200)
        expected = {**row, **kind.rename}
        if 'updated_at' in row:
            expected['updated_at'] = self.ramp.state.read_time()
        self.assertEqual(changed.json(), expected)
        self.assertEqual(self.listed(kind)['a'], expected)
        for body in ({'color': 'red'}, {'id': 'b'}, {'is_active': False}, {'classification': 'ASSET'}):
            answer = self.client.patch(path, json={**kind.rename, **body})
            self.assertRefused(answer, 422, 'DEVELOPER_7001')
            self.assertEqual(answer.json()['error_v2']['additional_info'], dict.fromkeys(body, ['Unknown field.']))
        self.assertEqual(self.listed(kind)['a'], expected)
        if 'entity_remote_ids' in kind.rename:
            self.assertIsNone(self.client.patch(path, json={'entity_remote_ids': None}).json()['entity_remote_ids'])

    def test_empty_code_clears_it(self):
        for name in ('accounts', 'vendors', 'options'):
            row = self.upload(self.kinds[name], 'a', code='1').json()[self.kinds[name].items][0]
            self.assertEqual(row['code'], '1')
            changed = self.client.patch(f'{self.kinds[name].path}/{row["ramp_id"]}', json={'code': ''})
            self.assertEqual(changed.json()['code'], '')

    def test_visibility_is_of_accounts_and_options_only(self):
        for name in ('vendors', 'rates', 'tax options'):
            kind = self.kinds[name]
            row = self.upload(kind, 'a').json()[kind.items][0]
            answer = self.client.patch(f'{kind.path}/{row["ramp_id"]}', json={'visibility': 'HIDDEN'})
            self.assertRefused(answer, 422, 'DEVELOPER_7001')

    @each_kind
    def test_delete_is_soft(self, kind):
        one, two = self.upload(kind, '1', '2').json()[kind.items]
        self.assertEqual(self.client.delete(f'{kind.path}/{one["ramp_id"]}').status_code, 204)
        self.assertEqual(self.client.delete(f'{kind.path}/{two["ramp_id"]}', json={}).status_code, 204)
        listed = self.listed(kind)
        if 'is_active' not in one:
            self.assertFalse({'1', '2'} & set(listed))  # a tax rate has no key that could tell
            answer = self.client.patch(f'{kind.path}/{one["ramp_id"]}', json=kind.rename)
            self.assertRefused(answer, 404, 'DEVELOPER_7002')
            return
        self.assertEqual((listed['1']['is_active'], listed['2']['is_active']), (False, False))
        self.assertFalse({'1', '2'} & set(self.listed(kind, is_active='true')))
        self.assertEqual(set(self.listed(kind, is_active='false')), {'1', '2'})
        answer = self.client.delete(f'{kind.path}/{one["ramp_id"]}', json={'why': 'so'})
        self.assertRefused(answer, 422, 'DEVELOPER_7001')

    @each_kind
    def test_reactivate(self, kind):
        row = self.upload(kind, 'a').json()[kind.items][0]
        path = f'{kind.path}/{row["ramp_id"]}'
        self.client.delete(path)
        answer = self.client.patch(path, json={'reactivate': True})
        if not kind.undeletable:
            self.assertIn(answer.status_code, (404, 422))
            return
        self.assertEqual((answer.status_code, answer.json()['is_active']), (200, True))
        self.client.delete(path)
        self.assertRefused(self.client.patch(path, json={'reactivate': False}), 422, 'DEVELOPER_7001')
        self.assertFalse(self.listed(kind)['a']['is_active'])

    @each_kind
    def test_path_takes_the_ramp_id_only(self, kind):
        self.upload(kind, 'a')
        before = self.stored()
        path = f'{kind.path}/a'
        if kind.readable:
            self.assertRefused(self.client.get(path), 404, 'DEVELOPER_7002')
        self.assertRefused(self.client.patch(path, json=kind.rename), 404, 'DEVELOPER_7002')
        self.assertRefused(self.client.delete(path, json={}), 404, 'DEVELOPER_7002')
        self.assertEqual(self.stored(), before)

    def test_scopes(self):
        self.client.sign_in('accounting:read')
        for kind in self.kinds.values():
            self.listed(kind)
            self.assertRefused(self.upload(kind, 'a'), 403, 'DEVELOPER_7100')
        self.client.sign_in('accounting:write')
        self.assertRefused(self.client.get('/accounting/accounts'), 403, 'DEVELOPER_7100')


@tagged('ramp_simulator')
class TestCodingLists(CodingCase):
    @each_kind
    def test_filters(self, kind):
        if kind.path == '/accounting/tax/rates':
            return  # its list has no filters
        code = {'code': 'X'} if 'code' in kind.rename else {}
        self.upload(kind, '1', '2', **code)
        self.upload(kind, '3')
        everything = set(self.listed(kind))
        self.assertEqual(list(self.listed(kind, remote_id='2')), ['2'])
        self.assertEqual(self.listed(kind, remote_id='4'), {})
        self.assertEqual(self.listed(kind, remote_id='2', is_active='false'), {})
        self.assertEqual(set(self.listed(kind, code='X')), {'1', '2'} if code else set())
        self.assertEqual(set(self.listed(kind, is_active='true')), everything)
        answer = self.client.get(kind.path, params={'is_active': 'maybe', 'field_id': self.field})
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        if kind.path != '/accounting/field-options':
            self.assertEqual(set(self.listed(kind, is_synced='true')), everything)
            self.assertEqual(self.listed(kind, is_synced='false'), {})

    def test_visibility_filter_of_options(self):
        kind = self.kinds['options']
        hidden, _ = self.upload(kind, '1', '2').json()['options']
        self.client.patch(f'{kind.path}/{hidden["ramp_id"]}', json={'visibility': 'HIDDEN'})
        self.assertEqual(list(self.listed(kind, visibility='HIDDEN')), ['1'])
        self.assertEqual(list(self.listed(kind, visibility='VISIBLE')), ['2'])
        self.assertEqual(list(self.listed(kind)), ['1', '2'])

    @each_kind
    def test_pages(self, kind):
        self.upload(kind, *(f'{number:03}' for number in range(70)))
        params = {'field_id': self.field} if kind.path == '/accounting/field-options' else {}
        pages = list(self.client.pages(kind.path, page_size=30, **params))
        idents = [row['id'] for page in pages for row in page if row['id'] != 'seeded']
        self.assertEqual([len(page) for page in pages][:2], [30, 30])
        self.assertEqual(idents, [f'{number:03}' for number in range(70)])

    def test_deleting_while_paging_skips_nothing(self):
        kind = self.kinds['vendors']
        self.upload(kind, *map(str, range(25)))
        seen = []
        for page in self.client.pages(kind.path, page_size=10, is_active='true'):
            for row in page:
                seen.append(row['id'])
                self.client.delete(f'{kind.path}/{row["ramp_id"]}')
        self.assertEqual(seen, list(map(str, range(25))))

    def test_without_a_connection_the_seed_is_listed(self):
        ramp = self.start(Seed(transactions=0))
        client = self.sign_in(ramp)
        rows = client.every('/accounting/accounts')
        self.assertEqual(len(rows), 20)
        [owner] = {row['accounting_connection_id'] for row in rows}
        self.assertEqual({row['accounting_connection_id'] for row in client.every('/accounting/accounts')}, {owner})
        ramp.assert_clean()


@tagged('ramp_simulator')
class TestCodingFields(CodingCase):
    def test_create_is_idempotent(self):
        first = self.add_field('team', display_name='Your team', is_required_for=['BILL']).json()
        self.assertEqual((first['display_name'], first['is_required_for']), ('Your team', ['BILL']))
        self.assertFalse(first['is_splittable'])
        again = self.add_field('team', name='Other', is_splittable=True)
        self.assertEqual((again.status_code, again.json()), (201, first))
        self.assertEqual(len(self.client.every('/accounting/fields', remote_id='team')), 1)

    def test_create_reactivates(self):
        path = f'/accounting/fields/{self.field}'
        self.assertEqual(self.client.delete(path).status_code, 204)
        self.assertFalse(self.client.get(path).json()['is_active'])
        self.assertEqual(self.client.every('/accounting/fields', is_active='true'), [])
        kind = self.kinds['options']
        self.assertRefused(self.upload(kind, 'a'), 400, 'DEVELOPER_7001')
        back = self.add_field('project')
        self.assertEqual((back.status_code, back.json()['is_active']), (201, True))
        self.assertEqual(back.json()['ramp_id'], self.field)
        self.assertEqual(self.upload(kind, 'a').status_code, 201)

    def test_patch(self):
        path = f'/accounting/fields/{self.field}'
        changes = {'name': 'Job', 'display_name': 'A job', 'is_splittable': True}
        self.assertEqual(self.client.patch(path, json=changes).json(), {**self.client.get(path).json(), **changes})
        for body in ({'input_type': 'BOOLEAN'}, {'reactivate': True}, {'is_required_for': []}):
            self.assertRefused(self.client.patch(path, json=body), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.patch('/accounting/fields/project', json=changes), 404, 'DEVELOPER_7002')

    def test_required_for(self):
        for wrong in (['RECEIPT'], 'BILL', None, ['BILL', {}]):
            self.assertRefused(self.add_field('wrong', is_required_for=wrong), 422, 'DEVELOPER_7001')
        self.assertEqual(self.client.every('/accounting/fields', remote_id='wrong'), [])

    def test_input_types(self):
        for kind in ('BOOLEAN', 'FREE_FORM_TEXT'):
            self.assertEqual(self.add_field(kind, input_type=kind).json()['input_type'], kind)

    def test_options_are_of_their_field(self):
        other = self.add_field('team').json()['ramp_id']
        options = [{'id': '7', 'value': 'Red'}]
        self.upload(self.kinds['options'], '7', '8')
        answer = self.client.post('/accounting/field-options', json={'field_id': other, 'options': options})
        self.assertEqual(answer.status_code, 201)
        found = self.client.every('/accounting/field-options', field_id=other)
        self.assertEqual(found, answer.json()['options'])
        [row] = self.client.every('/accounting/field-options', field_id=other, remote_id='7')
        self.assertEqual(row['value'], 'Red')
        again = self.client.post('/accounting/field-options', json={'field_id': other, 'options': options})
        self.assertRefused(again, 400, 'DEVELOPER_7001')

    def test_field_id(self):
        path = '/accounting/field-options'
        self.assertRefused(self.client.get(path), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get(path, params={'field_id': 'project'}), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get(path, params={'field_id': NOBODY}), 404, 'DEVELOPER_7002')
        body = {'field_id': NOBODY, 'options': [{'id': '1', 'value': 'One'}]}
        self.assertRefused(self.client.post(path, json=body), 404, 'DEVELOPER_7002')

    def test_put_is_patch(self):
        kind = self.kinds['options']
        row = self.upload(kind, '1', code='C').json()['options'][0]
        path = f'{kind.path}/{row["ramp_id"]}'
        self.assertEqual(self.client.put(path, json={'value': 'Mars'}).json(), {**row, 'value': 'Mars'})
        self.assertRefused(self.client.put(path, json={'id': '2'}), 422, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestTax(CodingCase):
    def test_one_active_tax_code_field(self):
        path = '/accounting/tax/code'
        first = self.client.get(path).json()
        self.assertEqual((first['name'], first['accounting_connection_id']), ('Tax', self.connection))
        self.assertRefused(self.client.post(path, json={'name': 'Again'}), 400, 'DEVELOPER_7001')
        changed = self.client.patch(path, json={'display_name': 'Sales tax'})
        self.assertEqual(changed.json(), {**first, 'display_name': 'Sales tax'})
        self.assertRefused(self.client.patch(path, json={'reactivate': True}), 422, 'DEVELOPER_7001')
        self.assertEqual(self.client.delete(path).status_code, 204)
        self.assertRefused(self.client.get(path), 404, 'DEVELOPER_7002')
        self.assertRefused(self.client.patch(path, json={'name': 'x'}), 404, 'DEVELOPER_7002')
        self.assertRefused(self.client.delete(path), 404, 'DEVELOPER_7002')
        second = self.client.post(path, json={'name': 'Again'})
        self.assertEqual(second.status_code, 201)
        self.assertNotEqual(second.json()['ramp_id'], first['ramp_id'])

    def test_options_need_the_field(self):
        kind = self.kinds['tax options']
        self.client.delete('/accounting/tax/code')
        self.assertRefused(self.upload(kind, 'S'), 400, 'DEVELOPER_7001')
        self.assertEqual(self.listed(kind), {})
        self.client.post('/accounting/tax/code', json={'name': 'Tax'})
        self.assertEqual(self.upload(kind, 'S').status_code, 201)

    def test_options_need_known_rates(self):
        kind = self.kinds['tax options']
        rates = self.upload(self.kinds['rates'], 'r1', 'r2').json()['tax_rates']
        self.assertEqual(
            self.upload(kind, 'S', tax_rate_ids=['r1', 'r2']).json()['options'][0]['tax_rate_ids'], ['r1', 'r2']
        )
        for wrong in (['r1', 'r3'], [rates[0]['ramp_id']]):
            self.assertRefused(self.upload(kind, 'T', tax_rate_ids=wrong), 400, 'DEVELOPER_7001')
        path = f'{kind.path}/{self.listed(kind)["S"]["ramp_id"]}'
        self.assertRefused(self.client.patch(path, json={'tax_rate_ids': ['r3']}), 400, 'DEVELOPER_7001')
        self.client.delete(f'/accounting/tax/rates/{rates[1]["ramp_id"]}')
        self.assertRefused(self.upload(kind, 'T', tax_rate_ids=['r2']), 400, 'DEVELOPER_7001')
        self.assertEqual(self.client.patch(path, json={'tax_rate_ids': ['r1']}).json()['tax_rate_ids'], ['r1'])
        self.assertEqual(list(self.listed(kind)), ['S'])

    def test_rates_need_a_known_account(self):
        kind = self.kinds['rates']
        for wrong in (NOBODY, None):
            answer = self.upload(kind, 'r', accounting_gl_account_id=wrong)
            self.assertRefused(answer, 400, 'DEVELOPER_7001')
        body = {'tax_rates': [{'id': 'r', 'name': 'VAT', 'rate': '0.1'}]}
        self.assertRefused(self.client.post(kind.path, json=body), 400, 'DEVELOPER_7001')
        self.assertEqual(self.listed(kind), {})
        row = self.upload(kind, 'r').json()['tax_rates'][0]
        path = f'{kind.path}/{row["ramp_id"]}'
        answer = self.client.patch(path, json={'accounting_gl_account_id': NOBODY})
        self.assertRefused(answer, 400, 'DEVELOPER_7001')
        self.assertEqual(self.client.patch(path, json={'name': 'New'}).json(), {**row, 'name': 'New'})

    def test_rate_is_text_or_number(self):
        kind = self.kinds['rates']
        for ident, rate, told in (('a', 0.05, '0.05'), ('b', '-0.10', '-0.10'), ('c', 0.00001, '0.00001')):
            self.assertEqual(self.upload(kind, ident, rate=rate).json()['tax_rates'][0]['rate'], told)
        self.assertRefused(self.upload(kind, 'd', rate='ten'), 422, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestCodingConnections(CodingCase):
    def everything(self):
        return {name: self.listed(kind) for name, kind in self.kinds.items()}

    def fill(self):
        return {name: self.upload(kind, 'mine').json()[kind.items][0]['ramp_id'] for name, kind in self.kinds.items()}

    def refused_writes(self, made):
        """Yield the answer to every call that writes. Each must be refused."""
        body = {'name': 'F', 'id': 'f', 'input_type': 'BOOLEAN'}
        yield self.client.post('/accounting/fields', json=body)
        yield self.client.patch(f'/accounting/fields/{self.field}', json={'name': 'F'})
        yield self.client.delete(f'/accounting/fields/{self.field}', json={})
        yield self.client.post('/accounting/tax/code', json={'name': 'T'})
        yield self.client.patch('/accounting/tax/code', json={'name': 'T'})
        yield self.client.delete('/accounting/tax/code', json={})
        for name, kind in self.kinds.items():
            path = f'{kind.path}/{made[name]}'
            yield self.upload(kind, 'new')
            yield self.client.patch(path, json=kind.rename)
            yield self.client.delete(path, json={})
        yield self.client.put(f'/accounting/field-options/{made["options"]}', json={'value': 'x'})

    def test_writes_need_our_seat(self):
        made = self.fill()
        for take in (
            lambda: self.client.delete('/accounting/connection'),
            lambda: self.ramp.take_accounting_seat('QuickBooks', 'DIRECT'),
            lambda: self.ramp.take_accounting_seat('Other', 'API'),
        ):
            take()
            before = self.stored()
            for answer in self.refused_writes(made):
                self.assertRefused(answer, 400, 'DEVELOPER_7001')
                self.assertIn('no active API accounting connection', answer.json()['error_v2']['message'])
            self.assertEqual(self.stored(), before)

    def test_unlinked_objects_are_there_again(self):
        made = self.fill()
        before = self.everything()
        self.client.delete('/accounting/connection')
        self.assertEqual(
            [row['id'] for row in self.client.every('/accounting/accounts')], ['seeded'], "the seed's stay"
        )
        self.assertEqual(self.client.every('/accounting/fields'), [])
        path = f'/accounting/accounts/{made["accounts"]}'
        self.assertRefused(self.client.get(path), 404, 'DEVELOPER_7002')
        named = {'accounting_connection_id': self.connection}
        self.assertEqual(self.client.get(path, params=named).json()['id'], 'mine')
        self.assertEqual(list(self.listed(self.kinds['accounts'], **named)), ['mine'])
        self.assertEqual(list(self.listed(self.kinds['options'], **named)), ['mine'])
        self.assertRefused(
            self.client.get('/accounting/accounts', params={'accounting_connection_id': NOBODY}), 404, 'DEVELOPER_7002'
        )
        self.client.post(f'/accounting/connection/{self.connection}/reactivate')
        self.assertEqual(self.everything(), before)

    def test_a_new_connection_has_books_of_its_own(self):
        self.fill()
        account = self.kinds['accounts']
        first = self.listed(account)['mine']
        self.client.delete('/accounting/connection')
        second = self.client.seat().json()['id']
        self.assertNotEqual(second, self.connection)
        answer = self.upload(account, 'mine', name='Another')
        self.assertEqual(answer.status_code, 201)
        [row] = answer.json()['gl_accounts']
        self.assertNotEqual(row['ramp_id'], first['ramp_id'])
        self.assertEqual(row['accounting_connection_id'], second)
        self.assertEqual(set(self.listed(account)), {'seeded', 'mine'})
        self.assertEqual(coding.select_gl_account(self.ramp.state, 'mine')['name'], 'Another')
        changed = self.client.patch(
            f'/accounting/accounts/{first["ramp_id"]}',
            json={'name': 'Old', 'accounting_connection_id': self.connection},
        )
        self.assertEqual((changed.status_code, changed.json()['name']), (200, 'Old'))
        self.assertRefused(
            self.client.patch(f'/accounting/accounts/{first["ramp_id"]}', json={'name': 'Old'}), 404, 'DEVELOPER_7002'
        )
        self.assertEqual(self.listed(account)['mine']['name'], 'Another')

    def test_a_connection_of_another_kind_takes_no_uploads(self):
        foreign = self.ramp.take_accounting_seat('QuickBooks', 'DIRECT')['id']
        self.client.delete('/accounting/connection')
        self.ramp.state['connections'].update_row(foreign, is_active=False)
        self.client.post(f'/accounting/connection/{self.connection}/reactivate')
        body = {'vendors': [{'id': '1', 'name': 'One'}], 'accounting_connection_id': foreign}
        self.assertRefused(self.client.post('/accounting/vendors', json=body), 400, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestSelections(CodingCase):
    def code(self, ident, *pairs):
        selections = [{'field_external_id': field, 'field_option_external_id': option} for field, option in pairs]
        return self.client.patch(
            f'/transactions/{ident}', json={'line_items': [{'amount': 1000, 'accounting_field_selections': selections}]}
        )

    def test_uploaded_objects_can_be_coded_with(self):
        for kind in self.kinds.values():
            self.upload(kind, 'mine')
        tax_field = self.client.get('/accounting/tax/code').json()['id']
        ident = self.ramp.add_transaction(amount_minor=1000)
        pairs = [('Category', 'mine'), ('Merchant', 'mine'), (tax_field, 'mine'), ('project', 'mine')]
        [line] = self.code(ident, *pairs).json()['line_items']
        self.assertEqual(
            [
                (s['type'], s['category_info']['external_id'], s['external_id'], s['name'])
                for s in line['accounting_field_selections']
            ],
            [
                ('GL_ACCOUNT', 'Category', 'mine', 'Travel'),
                ('MERCHANT', 'Merchant', 'mine', 'Amazon'),
                ('TAX_CODE', tax_field, 'mine', 'Standard'),
                ('OTHER', 'project', 'mine', 'Moon'),
            ],
        )
        self.assertRefused(self.code(ident, ('Category', "nobody's")), 400, 'DEVELOPER_7123')
        self.assertRefused(self.code(ident, ('project', "nobody's")), 400, 'DEVELOPER_7123')
        self.assertRefused(self.code(ident, ('Merchant', "nobody's")), 400, 'DEVELOPER_7123')
        self.assertRefused(self.code(ident, ('nothing', 'mine')), 400, 'DEVELOPER_7122')

    def test_helpers_make_transactions(self):
        for kind in self.kinds.values():
            self.upload(kind, 'mine')
        state = self.ramp.state
        selections = [
            coding.select_gl_account(state, 'mine'),
            coding.select_accounting_vendor(state, 'mine'),
            coding.select_tax_code(state, 'mine'),
            coding.select_field_option(state, 'project', 'mine'),
        ]
        ident = self.ramp.add_transaction(amount_minor=1000, lines=[{'amount_minor': 1000, 'selections': selections}])
        [line] = self.client.get(f'/transactions/{ident}').json()['line_items']
        self.assertEqual(line['accounting_field_selections'], selections)
        ids = [selection['category_info']['id'] for selection in selections]
        self.assertEqual(len(set(ids)), 4)
        self.assertEqual(ids[2:], [self.client.get('/accounting/tax/code').json()['ramp_id'], self.field])
        for name, place in (('accounts', 'gl_account_category_info'), ('vendors', 'vendor_category_info')):
            self.assertIn(self.listed(self.kinds[name])['mine'][place]['ramp_id'], ids[:2])

    def test_hidden_and_deleted_ones_stay_in_old_codings(self):
        kind = self.kinds['accounts']
        row = self.upload(kind, 'mine').json()['gl_accounts'][0]
        before = coding.select_gl_account(self.ramp.state, 'mine')
        self.client.patch(f'{kind.path}/{row["ramp_id"]}', json={'visibility': 'HIDDEN'})
        self.client.delete(f'{kind.path}/{row["ramp_id"]}')
        self.assertEqual(coding.select_gl_account(self.ramp.state, 'mine'), before)
        ident = self.ramp.add_transaction(amount_minor=1000, account='mine')
        [line] = self.client.get(f'/transactions/{ident}').json()['line_items']
        self.assertEqual(line['accounting_field_selections'][0]['name'], 'Travel')
        self.client.delete('/accounting/connection')
        self.assertEqual(coding.select_gl_account(self.ramp.state, 'mine'), before)

    def test_unknown_ones_have_a_name_too(self):
        state = self.ramp.state
        for selection in (
            coding.select_gl_account(state, '?'),
            coding.select_accounting_vendor(state, '?'),
            coding.select_tax_code(state, '?'),
            coding.select_field_option(state, 'project', '?'),
        ):
            self.assertIn('?', selection['name'])


@tagged('ramp_simulator')
class TestCodingWorld(CodingCase):
    def test_admin_shows_everything(self):
        for kind in self.kinds.values():
            self.upload(kind, 'mine')
        stored = self.stored()
        self.assertEqual(
            {name: [row['id'] for row in rows] for name, rows in stored.items() if name != 'tax_codes'},
            {
                'accounts': ['seeded', 'mine'],
                'fields': ['project'],
                'options': ['mine'],
                'vendors': ['mine'],
                'tax_rates': ['mine'],
                'tax_options': ['mine'],
                'inventory_fields': ['Inventory Item'],
                'inventory_items': ['mine'],
                'subsidiaries': [],
            },
        )
        self.assertEqual(stored['accounts'], self.client.every('/accounting/accounts'))
        self.assertEqual(stored['options'][0]['field_id'], self.field)
        [rate], [code] = stored['tax_rates'], stored['tax_codes']
        self.assertTrue(rate['is_active'] and code['is_active'])

    def test_a_person_hides_and_deletes_in_ramps_screens(self):
        row = self.upload(self.kinds['accounts'], 'mine').json()['gl_accounts'][0]
        self.client.patch(
            f'/_simulator/objects/accounts/{row["ramp_id"]}', json={'visibility': 'HIDDEN', 'is_active': False}
        )
        shown = self.client.get(f'/accounting/accounts/{row["ramp_id"]}').json()
        self.assertEqual((shown['visibility'], shown['is_active']), ('HIDDEN', False))
        self.assertRefused(self.upload(self.kinds['accounts'], 'mine'), 400, 'DEVELOPER_7020')
        self.client.patch(f'/_simulator/objects/accounts/{row["ramp_id"]}', json={'id': 'renamed'})
        self.assertEqual(list(self.listed(self.kinds['accounts'], remote_id='renamed')), ['renamed'])
        self.assertEqual(self.upload(self.kinds['accounts'], 'mine').status_code, 201)

    @each_kind
    def test_drop_after_leaves_the_rows(self, kind):
        self.ramp.faults.add_fault('drop_after', kind.path, method='POST', count=1)
        with self.assertRaises(requests.ConnectionError):
            self.upload(kind, 'a', 'b')
        self.assertLessEqual({'a', 'b'}, set(self.listed(kind)))
        self.assertRefused(self.upload(kind, 'a', 'b'), 400, kind.exists)

    @each_kind
    def test_errors_before_leave_nothing(self, kind):
        self.ramp.faults.add_fault('server_error', kind.path, method='POST', count=1, status=503)
        self.assertEqual(self.upload(kind, 'a').status_code, 503)
        self.ramp.faults.add_fault('drop_before', kind.path, method='POST', count=1)
        with self.assertRaises(requests.ConnectionError):
            self.upload(kind, 'a')
        self.assertNotIn('a', self.listed(kind))
        self.assertEqual(self.upload(kind, 'a').status_code, 201)

    def test_write_calls_are_counted(self):
        before = len(self.ramp.list_write_calls())
        row = self.upload(self.kinds['vendors'], 'a').json()['vendors'][0]
        self.client.every('/accounting/vendors')
        self.client.patch(f'/accounting/vendors/{row["ramp_id"]}', json={'name': 'B'})
        self.client.delete(f'/accounting/vendors/{row["ramp_id"]}')
        self.assertEqual(
            [entry['method'] for entry in self.ramp.list_write_calls()[before:]], ['POST', 'PATCH', 'DELETE']
        )

    def test_same_ids_in_every_run(self):
        kind = self.kinds['accounts']
        first = self.upload(kind, 'mine').json()['gl_accounts'][0]['ramp_id']
        self.ramp.reset_business()
        self.client.sign_in()
        self.client.seat()
        self.assertEqual(self.upload(kind, 'mine').json()['gl_accounts'][0]['ramp_id'], first)
        self.assertEqual(first, self.ramp.state.derive_stable_id('account', 'mine'))


@tagged('ramp_simulator')
@unittest.skipUnless(CONTRACT, "Ramp's OpenAPI file is not here")
class TestCodingContract(CodingCase):
    def test_wrong_values_are_refused(self):
        self.assertRefused(self.add_field('day', input_type='DATE'), 422, 'DEVELOPER_7001')
        answer = self.upload(self.kinds['accounts'], 'a', classification='COST')
        self.assertRefused(answer, 422, 'DEVELOPER_7001')

    def test_wrong_answers_of_an_upload_are_recorded(self):
        """Uploaded rows are checked. Only rows that were found right are skipped in lists."""
        good = self.upload(self.kinds['vendors'], 'a').json()['vendors'][0]['ramp_id']
        self.assertTrue(self.ramp.state['accounting_vendors'].get_row(good)['_valid'])
        self.ramp.state['accounting_vendors'].update_row(good, is_synced='perhaps')
        with patch('logging.Logger.error'):
            self.client.get('/accounting/vendors')
        self.assertIn('is_synced', self.ramp.contract_violations.pop())
        self.ramp.state['accounting_vendors'].update_row(good, is_synced=True)
        self.client.get('/accounting/vendors')


@tagged('ramp_simulator')
class TestCodingWithoutContract(TestUploads):
    """The same rules on a machine without the contract."""

    options = {'validate': False}


@tagged('ramp_simulator')
class TestCodingScale(CodingCase):
    options = {'rate_limit': 0}

    def test_twenty_thousand_options(self):
        kind, slowest = self.kinds['options'], 0
        for start in range(0, 20000, 500):
            begun = time.monotonic()
            answer = self.upload(kind, *map(str, range(start, start + 500)))
            slowest = max(slowest, time.monotonic() - begun)
            self.assertEqual(answer.status_code, 201)
        pages = list(self.client.pages(kind.path, field_id=self.field, page_size=100))
        self.assertEqual(len(pages), 200)
        self.assertEqual([int(row['id']) for page in pages for row in page], list(range(20000)))
        self.assertLess(slowest, 1)
        table = self.ramp.state['options']
        with patch.object(table, 'walk_rows', side_effect=AssertionError('walked')):
            self.assertEqual(list(self.listed(kind, remote_id='19999')), ['19999'])
        self.assertRefused(self.upload(kind, '20000', '19999'), 400, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestTableNames(SimulatorCase):
    def test_names_follow_changes(self):
        state = Simulator(Seed(transactions=0), validate=False).state
        table = state['accounts']
        one = coding.add_gl_account(state, 'x', 'X')
        self.assertEqual(table.list_named_rows('x'), [one])
        table.update_row(one['ramp_id'], id='y')
        self.assertEqual((table.list_named_rows('x'), table.list_named_rows('y')), ([], [one]))
        self.assertIsNot(coding.add_gl_account(state, 'x', 'X'), one)
        self.assertIs(coding.add_gl_account(state, 'y', 'Other'), one)
