"""The reimbursements of a seeded business, and repayments of card transactions by employees."""

from datetime import timedelta

from .endpoints import reimbursements, repayments
from .payables import convert_minor_amount
from .seed_payable_draws import FOREIGN, MEMOS

# The number of times a case occurs per round.
REIMBURSEMENTS = {
    'ready': 8,
    'foreign': 3,
    'paid': 4,
    'batch': 6,
    'by_hand': 1,
    'mileage': 3,
    'per_diem': 2,
    'payback': 2,
    'payback_part': 1,
    'draft': 1,
    'pending': 2,
    'rejected': 1,
    'failed': 1,
    'legacy': 1,
    'foreign_payee': 1,
}
# The arguments of `reimbursements.make_reimbursement` for each case.
REIMBURSED_AS = {
    'mileage': {'type': 'MILEAGE', 'waypoints': ['3 Middle St <b>']},
    'per_diem': {'type': 'PER_DIEM'},
    'payback': {'type': 'PAYBACK_FULL'},
    'payback_part': {'type': 'PAYBACK_PARTIAL'},
    'draft': {'state': 'DRAFT', 'sync_status': 'NOT_SYNC_READY'},
    'pending': {'state': 'PENDING', 'sync_status': 'NOT_SYNC_READY'},
    'rejected': {'state': 'REJECTED', 'sync_status': 'NOT_SYNC_READY'},
    'paid': {'state': 'REIMBURSED'},
    'by_hand': {'state': 'MANUALLY_REIMBURSED'},
    'failed': {'state': 'FAILED_REIMBURSEMENT'},
    'legacy': {'legacy': True},
}


class ReimbursementFiller:
    """Adds reimbursements and repayments to a business. All random choices come from its `PayableDraws`."""

    def __init__(self, draws):
        self.draws, self.filler, self.seed, self.state = draws, draws.filler, draws.filler.seed, draws.filler.state
        self.random, self.end = draws.random, draws.end

    def add_seed_reimbursements(self):
        """Add the reimbursements that the seed asks for, oldest first, and repayments of some card transactions."""
        self.batch = []
        cases = self.draws.repeat_shuffled_cases(REIMBURSEMENTS)
        for number, spent in enumerate(self.draws.choose_random_moments(self.seed.reimbursements)):
            self._add_seed_reimbursement(number, next(cases), spent)
        if self.batch:
            reimbursements.pay_reimbursements(self.state, self.batch)
        cleared = [
            row
            for row in self.state['transactions']
            if row['state'] == 'CLEARED' and row['_money']['amount_minor'] > 0 and not row['_label']
        ]
        for number in range(min(len(cleared), self.seed.reimbursements // 20)):
            status = ('REPAID', 'AWAITING_PAYMENT', 'REPAYMENT_FAILED', 'REQUESTED_BY_REVIEWER')[number % 4]
            repayments.make_repayment(
                self.state,
                transaction=cleared[number]['id'],
                status=status,
                funding_method=repayments.FUNDING_METHODS[number % len(repayments.FUNDING_METHODS)]
                if number % 4 == 0
                else None,
            )

    def _add_seed_reimbursement(self, number, case, spent):
        state, chance = self.state, self.random
        entity = chance.choices(self.filler.entities, [4] + [1] * (len(self.filler.entities) - 1))[0]
        user = chance.choice(self.filler.holders[entity['id']])[0]
        currency = entity['currency']
        values = {}
        if case.startswith('foreign') and currency in FOREIGN:
            currency, values['rate'] = chance.choice(FOREIGN[currency])
        lines, _inventory = self.draws.make_payable_lines(currency, largest=4)
        lines = [line for line in lines if line['amount_minor'] > 0] or [
            {'amount_minor': 1999, **self.draws.choose_random_coding()}
        ]
        distance = round(chance.uniform(3, 400), 1)  # always drawn, so later values do not depend on the case
        values.update(REIMBURSED_AS.get(case, {}), **{'distance': distance} if case == 'mileage' else {})
        if case == 'foreign_payee' and currency != entity['currency']:
            total = sum(line['amount_minor'] for line in lines)
            values.update(
                payee_minor=total,
                payee_currency=currency,
                entity_minor=convert_minor_amount(total, currency, values['rate'], entity['currency']),
            )
        row = reimbursements.make_reimbursement(
            state,
            user=user,
            entity=entity,
            currency=currency,
            lines=lines,
            date=spent,
            memo=chance.choice(MEMOS) if chance.random() < 0.5 else None,
            receipts=chance.choice((0, 1, 1, 2)) if values.get('type') in (None, 'PAYBACK_FULL') else 0,
            attendees=[{'name': "Zoë O'Brien", 'user_id': None}, {'name': user['first_name'], 'user_id': user['id']}]
            if number % 7 == 2
            else [],
            **values,
        )
        if case == 'batch':
            self.batch.append(row['id'])
            if len(self.batch) == 5:
                reimbursements.pay_reimbursements(state, self.batch, date=min(spent + timedelta(days=5), self.end))
                self.batch = []

    def add_reimbursement_problems(self):
        """Add one reimbursement of each kind that cannot be booked as it is."""
        state, code = self.state, self.filler.codes[0]
        primary = self.filler.entities[0]
        field_id, option_id = self.draws.choose_archived_option()
        stranger = {
            'id': state.derive_stable_id('user', 'unknown'),
            'first_name': 'Unknown',
            'last_name': 'Stranger',
            'email': 'nobody@example.com',
            'employee_id': None,
            'entity_id': primary['id'],
        }
        cases = {
            'uncoded': {'account': None},
            'unknown_account': {'account': 'no-such-account'},
            'archived_option': {'analytics': {field_id: option_id}},
            'sum_mismatch': {'lines': [{'amount_minor': 4000}, {'amount_minor': 5999}]},
            'closed_period': {'date': '2015-01-15'},
            'unknown_user': {'user': stranger},
            'no_amount': {'entity_amount': None, 'merchant_amount': None, 'payee_amount': None},
            'unknown_type': {'type': 'TELEPATHY', 'broken': True},
            'malformed': {'broken': True},
        }
        for label, values in cases.items():
            row = reimbursements.make_reimbursement(
                state,
                **{
                    'amount_minor': 10000,
                    'account': code,
                    'entity': primary,
                    'user': self.filler.holders[primary['id']][0][0],
                    'label': label,
                    'memo': label,
                    **values,
                },
            )
            state.problems[f'reimbursement_{label}'] = row['id']
            if label == 'malformed':
                row['entity_amount'] = {'value': 'a lot', 'currency': None}
                row['line_items'] = None
