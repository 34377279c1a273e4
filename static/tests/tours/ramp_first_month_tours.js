/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { stepUtils } from "@web_tour/tour_utils";

import { choose, enter, next, press, step } from "./ramp_setup_tours";
import { addTour, menu } from "./ramp_tours";

const CAUSES = ".o_list_view .o_data_row";
const PAYABLES = "account.menu_finance_payables";
const JULY = ".o_ramp_tie_out:not(:has(.o_ramp_progress))";

/** Press the button that settles a cause. */
const settle = (cause, button) => ({
    content: `Settle "${cause}"`,
    trigger: `${CAUSES}:contains('${cause}') button[name=action_solve]:contains('${button}')`,
    run: "click",
});
/** Choose a record in a field of the form. */
const pick = (field, label, inside = "") => [
    {
        content: `Search ${label}`,
        trigger: `${inside} .o_field_widget[name=${field}] input`,
        run: `edit ${label}`,
    },
    {
        content: `Choose ${label}`,
        trigger: `.o-autocomplete--dropdown-item a:contains("${label}")`,
        run: "click",
    },
];
/** The jobs settle a cause. The page shows it without being reloaded. */
const gone = (cause) => ({
    content: `Nothing waits because of "${cause}" any more`,
    trigger: `.o_list_view:has(.o_data_row):not(:has(.o_data_row:contains('${cause}')))`,
    timeout: 60000,
});

const setUp = () => [
    ...menu(PAYABLES, "ramp_connector.ramp_menu_dashboard"),
    {
        content: "Nothing is connected: the dashboard leads to the assistant",
        trigger: ".o_ramp_set_up",
        run: "click",
    },
    step("Which app of Ramp does Odoo use?"),
    ...choose("environment", "Custom address"),
    enter("api_url", "ramp_url"),
    enter("client_id", "ramp_id"),
    enter("client_secret", "ramp_secret"),
    ...next("What may this app do?"),
    ...next("Who has the accounting integration?"),
    ...next("Whose spend belongs to this company?"),
    ...next("Where is it posted?"),
    ...next("What can people pick in Ramp?"),
    ...next("From when on?"),
    {
        content: "The first month is July",
        trigger: ".o_ramp_setup [name=start_date] input, .o_ramp_setup [name=start_date] button",
        run: "click",
    },
    {
        trigger: ".o_ramp_setup [name=start_date] input",
        run: "edit 07/01/2026 && press Tab",
    },
    ...choose("existing_policy", "Post them"),
    press("action_count_again"),
    {
        content: "What July brings",
        trigger: ".o_ramp_setup_counts tr:contains('July 2026'):contains('Bills'):contains('1,250.50')",
    },
    {
        content: "The beginning of July is locked",
        trigger: ".o_ramp_setup .alert-warning:visible:contains('07/03/2026'):contains('put on hold')",
    },
    ...next("Connect"),
    press("action_preview"),
    {
        content: "The preview has what would be posted, and what would be on hold",
        trigger: ".o_ramp_setup:contains('would be on hold'), .o_ramp_dry_run_totals",
    },
    press("action_connect"),
    step("Odoo is connected with Ramp"),
    {
        content: "The checklist",
        trigger: ".o_ramp_checks .o_kanban_record:contains('Accounting integration'):contains('OK')",
    },
    {
        content: "The first synchronization runs, and the page says what it did",
        trigger: ".o_ramp_setup .o_ramp_outcome:contains('Posted'):contains('on hold')",
        timeout: 60000,
    },
    press("action_open_dashboard"),
];

const clear = () => [
    {
        content: "The dashboard names the next step",
        trigger: ".o_ramp_health[data-level=warning]:contains('wait for a decision')",
    },
    {
        trigger: ".o_ramp_step:contains('Needs Attention')",
        run: "click",
    },
    settle("Insurance", "Map"),
    ...pick("account_id", "Travel", ".modal"),
    {
        trigger: ".modal-footer button[name=action_confirm]",
        run: "click",
    },
    gone("Insurance"),
    settle("Grace Hopper", "Match"),
    {
        content: "She is new here",
        trigger: ".modal button[name=action_create_others]",
        run: "click",
    },
    {
        trigger: ".modal .o_data_row:contains('Grace Hopper') .o_field_widget[name=create_employee] input:checked",
    },
    {
        trigger: ".modal button[name=action_confirm]",
        run: "click",
    },
    gone("Grace Hopper"),
    settle("EUR", "Activate"),
    {
        content: "The currency, with its rates",
        trigger: ".o_form_view .o_last_breadcrumb_item:contains('EUR'), .o_breadcrumb:contains('EUR')",
    },
    {
        content: "Back to what needs attention",
        trigger: ".breadcrumb-item:not(.active) a:contains('Needs Attention')",
        run: "click",
    },
    gone("EUR"),
    settle("accounting period is closed", "Post on First Open Day"),
    {
        content: "It says what that means",
        trigger: ".modal:contains('first open day') .btn-primary",
        run: "click",
    },
    {
        content: "Nothing needs attention",
        trigger: ".o_nocontent_help:contains('Nothing needs attention')",
        timeout: 60000,
    },
];

const tieOut = () => [
    ...menu("account.menu_finance_reports", "ramp_connector.ramp_menu_tie_out"),
    {
        content: "The nightly check has run, or runs now",
        trigger: ".o_ramp_read",
        run: "click",
    },
    {
        trigger: ".o_ramp_progress",
    },
    {
        content: "Look at July",
        trigger: `${JULY} .o_ramp_to`,
        timeout: 60000,
        run: "select 2026-07",
    },
    {
        content: "Nothing is unexplained. One object waits in Ramp",
        trigger: ".o_ramp_status[data-status=explained].alert-success:contains('Nothing is unexplained')",
    },
    {
        trigger: "tr[data-kind=summary][data-green=yes] td[data-side=unexplained]:contains('0.00')",
    },
    {
        content: "Accrue what waits",
        trigger: ".o_ramp_accrue:contains('July 2026')",
        run: "click",
    },
    {
        trigger: ".o_form_view .o_field_widget[name=line_ids] .o_data_row:contains('Staples')",
    },
    ...pick("expense_account_id", "Meals"),
    ...pick("liability_account_id", "Accrued Expenses"),
    {
        trigger: "button[name=action_post]",
        run: "click",
    },
    {
        trigger: ".o_field_widget[name=standing]:contains('Posted')",
    },
    {
        content: "Back to the tie-out",
        trigger: ".o_back_button, .breadcrumb-item:not(.active) a",
        run: "click",
    },
    {
        content: "The difference is accrued",
        trigger: ".o_ramp_accrual[data-month='2026-07']:contains('60.00')",
    },
    {
        content: "Sign the month",
        trigger: ".o_ramp_sign:contains('July 2026')",
        run: "click",
    },
    {
        trigger: ".modal .btn-primary:contains('Sign Off')",
        run: "click",
    },
    {
        content: "It is signed",
        trigger: ".o_ramp_tie_out:not(:has(.o_ramp_sign)) .o_ramp_sign_off[data-month='2026-07']:contains('signed by')",
    },
];

addTour("ramp_connector_first_month", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...setUp(),
        ...clear(),
        ...tieOut(),
    ],
});
