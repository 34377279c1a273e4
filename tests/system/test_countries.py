"""The demo's months in companies of ten countries, with other currencies and habits. All is posted, confirmed and tied
out.
"""

import json
import subprocess
from pathlib import Path

import pytest
from country import HABITS
from selection import ROTATION, some
from stage import PREFIX, Stage

# (chart, another currency than that of its country): the currency of the company
COMPANIES = {
    ('generic_coa', ''): 'USD',
    ('us', ''): 'USD',
    ('ca_2023', ''): 'CAD',
    ('uk', ''): 'GBP',
    ('de_skr03', ''): 'EUR',
    ('fr', ''): 'EUR',
    ('be_comp', ''): 'EUR',
    ('mx', ''): 'MXN',
    ('ro', ''): 'RON',
    ('jp', ''): 'JPY',
    ('generic_coa', 'EUR'): 'EUR',
    ('generic_coa', 'JPY'): 'JPY',
    ('generic_coa', 'KWD'): 'KWD',
    ('generic_coa', 'TWD'): 'TWD',
}
# There are more companies than habits. A full run has all companies, and their habits change with the commits.
CASES = [(*company, list(HABITS)[(number + ROTATION) % len(HABITS)]) for number, company in enumerate(COMPANIES)]


@pytest.mark.parametrize(('chart', 'currency', 'habit'), some(CASES, kind=lambda case: None))
def test_months_of_a_business(stage: Stage, chart, currency, habit):
    database = stage.runtime.ensure_database(f'{PREFIX}country_{chart}_{currency}', fresh=True)
    try:
        done = subprocess.run(
            [
                str(stage.runtime.python),
                str(Path(__file__).with_name('country.py')),
                database,
                chart,
                currency,
                habit,
                str(ROTATION % 1000),
            ],
            env=stage.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr[-6000:]
        found = json.loads(done.stdout.splitlines()[-1])
    finally:
        stage.runtime.drop_database(database)
    assert found['currency'] == COMPANIES[chart, currency]
    assert not found['problems'], '\n'.join([*found['problems'], *found['held']])
    assert not found['unbalanced'] and not found['drafts']
    assert found['foreign'], 'there is nothing to convert'
    assert found['kinds']['entry'] > 40 and found['kinds']['in_invoice'] > 20, found['kinds']
    assert ' ERROR ' not in done.stderr, done.stderr[-6000:]
