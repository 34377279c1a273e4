"""The simulator's inventory items, entities of the books, filter rules, codings and marks of transactions."""

from odoo.tests import tagged

from .test_simulator_coding import NOBODY, CodingCase


class AccountingCase(CodingCase):
    path = None

    def post(self, **body):
        return self.client.post(self.path, json=body)

    def add_options(self, *idents, field='project'):
        found = self.client.get('/accounting/fields', params={'remote_id': field}).json()['data'][0]['ramp_id']
        body = {'field_id': found, 'options': [{'id': ident, 'value': ident.title()} for ident in idents]}
        return [row['ramp_id'] for row in self.client.post('/accounting/field-options', json=body).json()['options']]


@tagged('ramp_simulator')
class TestInventoryItems(AccountingCase):
    path = '/accounting/inventory-item'

    def test_one_active_field(self):
        first = self.client.get(self.path).json()
        self.assertEqual((first['name'], first['accounting_connection_id']), ('Item', self.connection))
        self.assertRefused(self.post(name='Again'), 400, 'DEVELOPER_7001')
        self.assertRefused(self.post(display_name='Again'), 422, 'DEVELOPER_7001')
        changed = self.client.patch(self.path, json={'display_name': 'Stock'})
        self.assertEqual(changed.json(), {**first, 'display_name': 'Stock'})
        self.assertRefused(self.client.patch(self.path, json={'id': 'x'}), 422, 'DEVELOPER_7001')
        self.assertEqual(self.client.delete(self.path).status_code, 204)
        for answer in (self.client.get(self.path), self.client.patch(self.path, json={'name': 'x'})):
            self.assertRefused(answer, 404, 'DEVELOPER_7002')
        answer = self.client.post(f'{self.path}/options', json={'options': [{'id': '1', 'name': 'One'}]})
        self.assertRefused(answer, 400, 'DEVELOPER_7001')
        again = self.post(name='Again')
        self.assertEqual(again.status_code, 201)
        self.assertNotEqual(again.json()['ramp_id'], first['ramp_id'])

    def test_accounts(self):
        options = [{'id': '1', 'name': 'One', 'gl_account_id': NOBODY}]
        answer = self.client.post(f'{self.path}/options', json={'options': options})
        self.assertRefused(answer, 400, 'DEVELOPER_7001')
        options = [{'id': '1', 'name': 'One', 'gl_account_id': None}]
        [row] = self.client.post(f'{self.path}/options', json={'options': options}).json()['options']
        self.assertIsNone(row['gl_account_id'])
        path = f'{self.path}/options/{row["ramp_id"]}'
        self.assertEqual(
            self.client.patch(path, json={'gl_account_id': self.account}).json()['gl_account_id'], self.account
        )
        self.assertRefused(self.client.patch(path, json={'gl_account_id': NOBODY}), 400, 'DEVELOPER_7001')

    def test_lines_are_coded_with_items(self):
        self.client.post(f'{self.path}/options', json={'options': [{'id': '7', 'name': 'Widget'}]})
        field = self.client.get(self.path).json()['id']
        ident = self.ramp.add_transaction(amount_minor=100)
        selection = {'field_external_id': field, 'field_option_external_id': '7'}
        self.client.sign_in('transactions:write')
        lines = [{'amount': 100, 'accounting_field_selections': [selection]}]
        [line] = self.client.patch(f'/transactions/{ident}', json={'line_items': lines}).json()['line_items']
        [told] = line['accounting_field_selections']
        self.assertEqual((told['type'], told['name']), ('INVENTORY_ITEM', 'Widget'))
        lines[0]['accounting_field_selections'][0]['field_option_external_id'] = '8'
        answer = self.client.patch(f'/transactions/{ident}', json={'line_items': lines})
        self.assertRefused(answer, 400, 'DEVELOPER_7123')


@tagged('ramp_simulator')
class TestBookEntities(AccountingCase):
    path = '/accounting/entities'

    def test_upload_is_all_or_nothing(self):
        one = {'id': 'us', 'name': 'Works Inc.', 'currency': 'USD', 'country': 'US', 'federal_id_number': '12-3'}
        answer = self.post(entities=[one, {'id': 'de', 'name': 'Werke GmbH'}])
        self.assertEqual(answer.status_code, 201, answer.text)
        first, second = answer.json()['entities']
        self.assertEqual({name: first[name] for name in one}, one)
        self.assertEqual((second['currency'], second['is_active']), (None, True))
        self.assertRefused(self.post(entities=[{'id': 'fr', 'name': 'X'}, one]), 400, 'DEVELOPER_7001')
        self.assertRefused(self.post(entities=[{'id': 'fr'}]), 422, 'DEVELOPER_7001')
        for count in (0, 501):
            answer = self.post(entities=[{'id': str(number), 'name': 'X'} for number in range(count)])
            self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(self.post(entities=[{'id': 'fr', 'name': 'X'}]).status_code, 201)
        self.assertEqual(self.client.get(self.path).status_code, 405)

    def test_entity_ids_of_options(self):
        """With entity selection, an option names entities that were uploaded."""
        accounts = [{'id': '1', 'name': 'One', 'classification': 'EXPENSE', 'entity_remote_ids': ['us']}]
        path = f'/accounting/connection/{self.connection}'
        self.client.patch(path, json={'settings': {'entity_selection_enabled': True}})
        answer = self.client.post('/accounting/accounts', json={'gl_accounts': accounts})
        self.assertRefused(answer, 400, 'DEVELOPER_7001')
        self.post(entities=[{'id': 'us', 'name': 'Works Inc.'}])
        [row] = self.client.post('/accounting/accounts', json={'gl_accounts': accounts}).json()['gl_accounts']
        self.assertEqual(row['entity_remote_ids'], ['us'])
        path = f'/accounting/accounts/{row["ramp_id"]}'
        self.assertRefused(self.client.patch(path, json={'entity_remote_ids': ['de']}), 400, 'DEVELOPER_7001')
        self.assertIsNone(self.client.patch(path, json={'entity_remote_ids': None}).json()['entity_remote_ids'])

    def test_people_map_entities(self):
        [made] = self.post(entities=[{'id': 'us', 'name': 'Works Inc.'}]).json()['entities']
        entity = self.client.get('/entities').json()['data'][0]['id']
        self.ramp.connect_entity(entity, 'us')
        told = self.client.get(f'/entities/{entity}').json()['connected_subsidiary']
        self.assertEqual(told, {'external_id': 'us', 'id': made['ramp_id'], 'name': 'Works Inc.'})
        with self.assertRaises(ValueError):
            self.ramp.connect_entity(entity, 'de')
        self.ramp.connect_entity(entity, None)
        self.assertIsNone(self.client.get(f'/entities/{entity}').json()['connected_subsidiary'])


@tagged('ramp_simulator')
class TestFilterRules(AccountingCase):
    path = '/accounting/field-option-filter-rules'

    def setUp(self):
        super().setUp()
        self.add_field('task')
        self.add_options('x', 'y')
        self.add_options(*'abc', field='task')
        self.client.post('/accounting/entities', json={'entities': [{'id': 'us', 'name': 'Works'}]})

    def rule(self, target='a', **chosen):
        return {
            'target_field_remote_id': 'task',
            'target_field_option_remote_id': target,
            'required_selections': [
                {'trigger_field_remote_id': field, 'trigger_field_option_remote_id': option}
                for field, option in (chosen or {'project': 'x'}).items()
            ],
        }

    def listed(self, **params):
        return self.client.every(self.path, **params)

    def test_create_and_list(self):
        rules = [self.rule(), self.rule('b', project='y', Subsidiary='us'), self.rule('c', Category='seeded')]
        self.assertEqual(self.post(rules=rules).json(), {'created_count': 3, 'duplicate_count': 0})
        self.assertEqual(self.listed(), rules)
        self.assertEqual(self.listed(page_size=2), rules)
        self.assertEqual(self.listed(target_field_option_remote_id='b'), rules[1:2])
        self.assertEqual(self.listed(target_field_remote_id='project'), [])
        again = self.rule('b', Subsidiary='us', project='y')
        self.assertEqual(
            self.post(rules=[again, self.rule('b'), self.rule('b')]).json(), {'created_count': 1, 'duplicate_count': 2}
        )
        self.assertEqual(len(self.listed()), 4)

    def test_delete(self):
        self.post(rules=[self.rule(), self.rule('b')])
        answer = self.client.delete(self.path, json={'rules': [self.rule('b'), self.rule('c')]})
        self.assertEqual(answer.json(), {'deleted_count': 1, 'not_found_count': 1})
        self.assertEqual(self.listed(), [self.rule()])
        self.assertRefused(self.client.delete(self.path), 422, 'DEVELOPER_7001')

    def test_one_wrong_rule_refuses_all(self):
        for wrong, code in (
            (self.rule('d'), 'DEVELOPER_7123'),
            (self.rule(project='z'), 'DEVELOPER_7123'),
            (self.rule(colour='x'), 'DEVELOPER_7122'),
            ({**self.rule(), 'target_field_remote_id': 'colour'}, 'DEVELOPER_7122'),
            (self.rule(task='b'), 'DEVELOPER_7001'),
        ):
            self.assertRefused(self.post(rules=[self.rule(), wrong]), 400, code)
        for wrong in ({**self.rule(), 'required_selections': []}, {'target_field_remote_id': 'task'}):
            self.assertRefused(self.post(rules=[self.rule(), wrong]), 422, 'DEVELOPER_7001')
        self.assertEqual(self.listed(), [])

    def test_1_to_1000(self):
        for count in (0, 1001):
            self.assertRefused(self.post(rules=[self.rule()] * count), 422, 'DEVELOPER_7001')
        self.assertEqual(self.post(rules=[self.rule()] * 1000).json(), {'created_count': 1, 'duplicate_count': 999})
        self.ramp.contract = None
        self.assertRefused(self.post(rules=[self.rule()] * 1001), 422, 'DEVELOPER_7001')

    def test_rules_are_of_a_connection(self):
        self.post(rules=[self.rule()])
        self.client.delete('/accounting/connection')
        self.client.seat('Other')
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.listed(accounting_connection_id=self.connection), [self.rule()])

    def test_what_people_can_choose(self):
        self.post(rules=[self.rule('a', project='x', Category='seeded'), self.rule('a', project='y')])
        offered = self.ramp.is_option_offered
        self.assertFalse(offered('task', 'a', {'project': 'x'}))
        self.assertTrue(offered('task', 'a', {'project': 'x', 'Category': 'seeded'}))
        self.assertTrue(offered('task', 'a', {'project': 'y'}))
        self.assertTrue(offered('task', 'b', {}))


@tagged('ramp_simulator')
class TestCodings(AccountingCase):
    path = '/accounting/codings'

    def setUp(self):
        super().setUp()
        self.transaction = self.ramp.add_transaction(amount_minor=1000, sync_status='NOT_SYNC_READY')
        [self.option] = self.add_options('moon')

    def code_with(self, *selections, **changes):
        return self.post(
            **{
                'object_type': 'TRANSACTION',
                'object_id': self.transaction,
                'accounting_coding_selections': list(selections),
                **changes,
            }
        )

    def lines(self):
        return [
            {item['category_info']['external_id']: item['external_id'] for item in line['accounting_field_selections']}
            for line in self.client.get(f'/transactions/{self.transaction}').json()['line_items']
        ]

    def test_it_replaces_the_selection_of_its_field(self):
        self.ramp.update_transaction(
            self.transaction, lines=[{'amount_minor': 400, 'account': 'seeded'}, {'amount_minor': 600}]
        )
        wanted = {'accounting_field_id': self.field, 'accounting_field_option_id': self.option}
        answer = self.code_with(wanted)
        self.assertEqual((answer.status_code, answer.json()['accounting_coding_selections']), (201, [wanted]))
        self.assertEqual(self.lines(), [{'Category': 'seeded', 'project': 'moon'}, {'project': 'moon'}])
        [other] = self.add_options('mars')
        self.code_with({'accounting_field_id': self.field, 'accounting_field_option_id': other})
        self.assertEqual(self.lines()[1], {'project': 'mars'})

    def test_built_in_fields_and_texts(self):
        vendors = {'vendors': [{'id': '7', 'name': 'Acme'}]}
        vendor = self.client.post('/accounting/vendors', json=vendors).json()['vendors'][0]
        account = self.client.get('/accounting/accounts').json()['data'][0]
        text = self.add_field('note', input_type='FREE_FORM_TEXT').json()['ramp_id']
        self.ramp.update_transaction(self.transaction, requires_accounting_vendor_creation_to_sync=True)
        answer = self.code_with(
            {
                'accounting_field_id': vendor['vendor_category_info']['ramp_id'],
                'accounting_field_option_id': vendor['ramp_id'],
            },
            {
                'accounting_field_id': account['gl_account_category_info']['ramp_id'],
                'accounting_field_option_id': account['ramp_id'],
            },
            {'accounting_field_id': text, 'free_form_text': 'Room 7'},
        )
        self.assertEqual(answer.status_code, 201, answer.text)
        self.assertEqual(self.lines(), [{'Merchant': '7', 'Category': 'seeded', 'note': 'Room 7'}])
        row = self.client.get(f'/transactions/{self.transaction}').json()
        self.assertFalse(row['requires_accounting_vendor_creation_to_sync'])

    def test_refusals(self):
        good = {'accounting_field_id': self.field, 'accounting_field_option_id': self.option}
        self.assertRefused(self.code_with({**good, 'accounting_field_id': NOBODY}), 400, 'DEVELOPER_7122')
        self.assertRefused(self.code_with({**good, 'accounting_field_option_id': NOBODY}), 400, 'DEVELOPER_7123')
        other = self.add_field('team').json()['ramp_id']
        self.assertRefused(self.code_with({**good, 'accounting_field_id': other}), 400, 'DEVELOPER_7123')
        self.assertRefused(self.code_with({'accounting_field_id': self.field}), 422, 'DEVELOPER_7001')
        self.assertRefused(self.code_with({**good, 'free_form_text': 'x'}), 422, 'DEVELOPER_7001')
        self.assertRefused(self.code_with(good, good), 422, 'DEVELOPER_7001')
        answer = self.code_with({'accounting_field_id': self.field, 'free_form_text': 'x'})
        self.assertRefused(answer, 400, 'DEVELOPER_7123')
        self.assertRefused(self.code_with(good, object_type='BILL'), 422, 'DEVELOPER_7001')
        self.assertRefused(self.code_with(good, object_id=NOBODY), 400, 'DEVELOPER_7001')
        self.ramp.update_transaction(self.transaction, sync_status='SYNCED')
        self.assertRefused(self.code_with(good), 400, 'DEVELOPER_7001')
        self.client.delete('/accounting/connection')
        self.assertRefused(self.code_with(good), 400, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestReadyToSync(AccountingCase):
    path = '/accounting/ready-to-sync'

    def mark(self, *idents, kind='TRANSACTION'):
        return self.post(object_type=kind, object_ids=list(idents))

    def test_1_to_500_all_known(self):
        rows = [self.ramp.add_transaction(amount_minor=1, sync_status='NOT_SYNC_READY') for _number in range(3)]
        self.assertRefused(self.mark(), 422, 'DEVELOPER_7001')
        self.assertRefused(self.mark(*rows[:1] * 501), 422, 'DEVELOPER_7001')
        self.assertRefused(self.mark(*rows, NOBODY), 404, 'DEVELOPER_7002')
        self.assertRefused(self.mark(*rows, kind='BILL'), 422, 'DEVELOPER_7001')
        self.assertEqual(self.client.every('/transactions', sync_status='SYNC_READY'), [])
        self.assertEqual(self.mark(*rows).status_code, 204)
        self.assertEqual(len(self.client.every('/transactions', sync_status='SYNC_READY')), 3)
        self.ramp.contract = None
        self.assertRefused(self.mark(*rows[:1] * 501), 422, 'DEVELOPER_7001')

    def test_required_fields(self):
        self.add_field('team', is_required_for=['TRANSACTION'])
        self.add_options('red', field='team')
        good = self.ramp.add_transaction(amount_minor=1, sync_status='NOT_SYNC_READY', analytics={'team': 'red'})
        bare = self.ramp.add_transaction(amount_minor=1, sync_status='NOT_SYNC_READY')
        answer = self.mark(good, bare)
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(answer.json()['error_v2']['additional_info'], {bare: ['team is required.']})
        self.assertEqual(self.mark(good).status_code, 204)
