"""Measure how long changes on Odoo's screens take to reach Ramp, and whether a page waits for Ramp; run by `bench.py`.

The measurement has its own database, a real Odoo server with its jobs, a simulated Ramp in another process, and a
browser that clicks: an order is confirmed, a part of it is received, a part of that is sent back, and the order is
cancelled. Every step is timed from the click to the state in Ramp. In the last round Ramp hangs at every request, and
only the pages are timed.
"""

import argparse
import json
import time
from pathlib import Path

from bench_webhooks import compute_percentiles, run_odoo_server
from browser import HeadlessBrowser
from odoo_env import connect_empty_company, open_environment, run_simulator
from runtime import find_chromium, find_free_port

ORDERED, RECEIVED, RETURNED = 10, 6, 2
HANGS = 20.0  # seconds that Ramp does not answer in the last round
PATIENCE = 60
STEPS = {
    'confirm': 'an order is confirmed',
    'receive': 'a part of it is received',
    'return': 'a part of that is returned',
    'cancel': 'the order is cancelled',
}
STATUS = "[...document.querySelectorAll('.o_statusbar_status .o_arrow_button_current')].some(node => node.textContent.includes(%s))"


class ScreenBuyer:
    """A user of Odoo's screens who also watches Ramp."""

    def __init__(self, browser, address, ramp, database):
        self.browser, self.address, self.ramp, self.database = browser, address, ramp, database
        self.pages, self.follows = {step: [] for step in STEPS}, {step: [] for step in STEPS}

    def create_quotation(self):
        """Create a request for quotation. Return its id."""
        with open_environment(self.database) as env:
            vendor = env['res.partner'].search([('name', '=', 'Screen Supplier')])
            product = env['product.product'].search([('name', '=', 'Screen Part')])
            order = env['purchase.order'].create(
                {
                    'partner_id': vendor.id,
                    'order_line': [
                        (
                            0,
                            0,
                            {'product_id': product.id, 'product_qty': ORDERED, 'price_unit': 10.0, 'tax_ids': [(5,)]},
                        )
                    ],
                }
            )
            env.cr.commit()
            return order.id

    def find_order_transfer(self, order, state='assigned'):
        """Return the id of the first transfer of an order with this state."""
        with open_environment(self.database) as env:
            return (
                env['purchase.order']
                .browse(order)
                .picking_ids.filtered(lambda picking: picking.state == state)
                .sorted('id')[:1]
                .id
            )

    def time_screen_step(self, name, click, shown, there):
        """Perform a step, and keep its seconds until the page shows the result and until Ramp has it.

        :param click: function that ends with the button that is timed
        :param shown: script that is true when the page shows the result
        :param there: function that is true when Ramp has the result
        """
        started = click()
        self.browser.wait_for_script(shown)
        self.pages[name].append(time.monotonic() - started)
        if there:
            while not there():
                if time.monotonic() - started > PATIENCE:
                    raise SystemExit(f'Ramp does not show within {PATIENCE} seconds that {STEPS[name]}')
                time.sleep(0.02)
            self.follows[name].append(time.monotonic() - started)

    def press_timed_button(self, *arguments):
        """Click and do not wait for the result. Return the seconds of the clock at the click."""
        started = time.monotonic()
        self.browser.click_element(*arguments, settle=False)
        return started

    def enter_cell_value(self, row, field, value):
        """Type a value into a cell of a list."""
        cell = f'{row} td[name={field}]'
        self.browser.click_element(cell)
        found = f'document.querySelector({json.dumps(cell)} + " input")'
        self.browser.wait_for_script(f'!!{found}')
        self.browser.evaluate_script(f"""
            {found}.focus(); {found}.value = {json.dumps(str(value))};
            {found}.dispatchEvent(new Event('input', {{bubbles: true}})); {found}.dispatchEvent(new Event('change', {{bubbles: true}}))""")

    # ------------------------------------------------------------------ the life of an order

    def find_ramp_order(self, order):
        """Return the purchase order in Ramp, a dict, or None if it is not there."""
        rows = [
            row
            for row in self.ramp.call_admin('GET', '/objects/purchase_orders')['data']
            if (row['purchase_order_number'] or '').endswith(f'-{order}')
        ]
        return rows[-1] if rows else None

    def count_received_in_ramp(self, order):
        """Return the quantity that Ramp shows as received of an order."""
        row = self.find_ramp_order(order)
        return sum(
            line['quantity']
            for receipt in self.ramp.call_admin('GET', '/objects/item_receipts')['data']
            if row and receipt['purchase_order_id'] == row['id'] and not receipt['archived_at']
            for line in receipt['line_items']
        )

    def live_order_once(self, watch=True):
        """Take one order from its confirmation to its end. `watch`: wait for Ramp after each step."""
        order = self.create_quotation()

        def choose_condition(condition):
            return condition if watch else None

        self.browser.open_page(f'{self.address}/odoo/purchase.order/{order}')
        self.time_screen_step(
            'confirm',
            lambda: self.press_timed_button('button[name=button_confirm]'),
            STATUS % "'Purchase Order'",
            choose_condition(lambda: self.find_ramp_order(order)),
        )
        self.browser.open_page(f'{self.address}/odoo/stock.picking/{self.find_order_transfer(order)}')
        self.enter_cell_value('.o_field_widget[name=move_ids] .o_data_row', 'quantity', RECEIVED)
        self.browser.click_element('button[name=button_validate]')
        self.time_screen_step(
            'receive',
            lambda: self.press_timed_button('.modal button[name=process]'),
            STATUS % "'Done'",
            choose_condition(lambda: self.count_received_in_ramp(order) == RECEIVED),
        )
        self.browser.click_element('button', 'Return')
        self.enter_cell_value('.modal .o_data_row', 'quantity', RETURNED)
        self.browser.click_element('.modal button[name=action_create_returns]')
        self.browser.wait_for_script("!document.querySelector('.modal')")
        self.browser.wait_until_idle()
        self.time_screen_step(
            'return',
            lambda: self.press_timed_button('button[name=button_validate]'),
            STATUS % "'Done'",
            choose_condition(lambda: self.count_received_in_ramp(order) == RECEIVED - RETURNED),
        )
        self.browser.open_page(f'{self.address}/odoo/purchase.order/{order}')
        self.time_screen_step(
            'cancel',
            lambda: self.press_timed_button('button[name=button_cancel]'),
            STATUS % "'Cancelled'",
            choose_condition(lambda: self.find_ramp_order(order)['archived_at']),
        )


def prepare_screen_company(env, ramp):
    """Create a supplier and a product, and connect the company to a simulated Ramp."""
    vendor = env['res.partner'].create(
        {
            'name': 'Screen Supplier',
            'is_company': True,
            'email': 'sales@screen.example',
            'country_id': env.ref('base.us').id,
            'state_id': env.ref('base.state_us_5').id,
            'supplier_rank': 1,
        }
    )
    env['product.product'].create({'name': 'Screen Part', 'type': 'consu', 'is_storable': True})
    connect_empty_company(env, ramp, pull_bills=True, push_orders=True, push_receipts=True)
    vendor.ramp_spend_vendor = True
    env.cr.commit()


def read_screen_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--rounds', type=int, required=True)
    return parser.parse_args()


def main():
    options = read_screen_options()
    port = find_free_port(0)
    address = f'http://127.0.0.1:{port}'
    with run_simulator('--no-validate', '--rate-limit', 0) as ramp:
        with open_environment(options.database) as env:
            prepare_screen_company(env, ramp)
        with (
            run_odoo_server(options.database, port, 0),
            HeadlessBrowser(find_chromium(), width=1280, height=1000) as browser,
        ):
            browser.log_in_user(address, 'admin', 'admin')
            # The first visit of a new server is slower, and not counted.
            ScreenBuyer(browser, address, ramp, options.database).live_order_once()
            buyer, stuck = (ScreenBuyer(browser, address, ramp, options.database) for _number in range(2))
            for _number in range(options.rounds):
                buyer.live_order_once()
            ramp.call_admin('POST', '/faults', {'kind': 'timeout_before', 'seconds': HANGS})
            stuck.live_order_once(watch=False)
            ramp.call_admin('DELETE', '/faults')
            if browser.complaints:
                raise SystemExit(f'the console complains: {browser.complaints[0][:300]}')
    everything = [seconds for step in buyer.follows.values() for seconds in step]
    Path(options.output).write_text(
        json.dumps(
            {
                'rounds': options.rounds,
                'hangs': HANGS,
                'follows': compute_percentiles(everything),
                'steps': {
                    step: {
                        'words': words,
                        'page': compute_percentiles(buyer.pages[step]),
                        'ramp': compute_percentiles(buyer.follows[step]),
                        'stuck': max(stuck.pages[step]),
                    }
                    for step, words in STEPS.items()
                },
            }
        ),
        encoding='utf-8',
    )


if __name__ == '__main__':
    main()
