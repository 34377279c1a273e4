"""The demo's months in companies of ten countries: all is booked, confirmed and tied out with each chart, its taxes and its currency."""
import json
import subprocess
from pathlib import Path

import pytest
from selection import ROTATION, some
from stage import PREFIX, Stage

# chart: the currency of its companies
CHARTS = {
    'generic_coa': 'USD', 'us': 'USD', 'ca_2023': 'CAD', 'uk': 'GBP', 'de_skr03': 'EUR', 'fr': 'EUR', 'be_comp': 'EUR', 'mx': 'MXN',
    'ro': 'RON', 'jp': 'JPY'}


@pytest.mark.parametrize('chart', some(CHARTS, kind=lambda chart: None))
def test_months_of_a_business(stage: Stage, chart):
    database = stage.runtime.database(f'{PREFIX}country_{chart}', fresh=True)
    try:
        done = subprocess.run(
            [str(stage.runtime.python), str(Path(__file__).with_name('country.py')), database, chart, str(ROTATION % 1000)],
            env=stage.environ(), capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr[-6000:]
        found = json.loads(done.stdout.splitlines()[-1])
    finally:
        stage.runtime.drop(database)
    assert found['currency'] == CHARTS[chart]
    assert not found['problems'], '\n'.join(found['problems'])
    assert not found['unbalanced'] and not found['drafts']
    assert found['foreign'], 'there is nothing to convert'
    assert found['kinds']['entry'] > 40 and found['kinds']['in_invoice'] > 20, found['kinds']
    assert ' ERROR ' not in done.stderr, done.stderr[-6000:]
