/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { cookie } from "@web/core/browser/cookie";
import { stepUtils } from "@web_tour/tour_utils";

import { addTour, menu } from "./ramp_tours";

export const step = (title) => ({
    content: `The page "${title}"`,
    trigger: `.o_ramp_setup h2:visible:contains("${title}")`,
});
export const press = (name, inside = ".o_ramp_setup") => ({
    content: `Press ${name}`,
    trigger: `${inside} button[name=${name}]:visible`,
    run: "click",
});
export const next = (title) => [press("action_next"), step(title)];

// The test gives the address and the credentials of its simulated Ramp as cookies.
const simulated = (key) => cookie.get(key);

export const enter = (field, key) => ({
    content: `Enter ${field}`,
    trigger: `.o_ramp_setup [name=${field}] input`,
    run: `edit ${simulated(key)}`,
});
export const choose = (field, label) => [
    {
        content: `Open the list of ${field}`,
        trigger: `.o_ramp_setup [name=${field}] input`,
        run: "click",
    },
    {
        content: `Choose ${label}`,
        trigger: `.o_select_menu_item:contains("${label}")`,
        run: "click",
    },
];

addTour("ramp_connector_setup", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_setup_first"),
        step("Which app of Ramp does Odoo use?"),
        {
            content: "The scopes are there, to copy",
            trigger: ".o_ramp_setup [name=all_scopes]:contains('accounting:read'):contains('item_receipts:write')",
        },
        ...choose("environment", "Custom address"),
        enter("api_url", "ramp_url"),
        enter("client_id", "ramp_id"),
        enter("client_secret", "ramp_secret"),
        ...next("What may this app do?"),
        {
            content: "One scope is missing, so what needs it is off",
            trigger: ".o_ramp_setup_features .o_data_row:contains('Repayments'):contains('Missing'):contains('repayments:read')",
        },
        {
            content: "The rest is present",
            trigger: ".o_ramp_setup_features .o_data_row:contains('Bills'):contains('Present')",
        },
        ...next("Who has the accounting integration?"),
        {
            content: "Nobody has it",
            trigger: ".alert-success:visible:contains('Nobody has it')",
        },
        ...next("Whose spend belongs to this company?"),
        {
            content: "Entities by name and currency",
            trigger: ".o_ramp_setup [name=entity_id] .o_radio_item:contains('Widget Works Europe GmbH (EUR)')",
        },
        {
            content: "One in another currency",
            trigger: ".o_ramp_setup [name=entity_id] .o_radio_item:contains('EUR') input",
            run: "click",
        },
        {
            content: "It is warned of",
            trigger: ".alert-warning:visible:contains('currency is not that of the books')",
        },
        {
            content: "The right one",
            trigger: ".o_ramp_setup [name=entity_id] .o_radio_item:contains('USD') input",
            run: "click",
        },
        {
            content: "No warning",
            trigger: ".o_ramp_setup:not(:has(.alert-warning:visible))",
        },
        ...next("Where is it posted?"),
        {
            content: "The new journal has its code, and the new account its number",
            trigger: ".o_ramp_setup:has([name=new_card_journal]:contains('RAMP Ramp Cards')) [name=new_card_account]:contains('Ramp Card Liability')",
        },
        press("action_back"),
        step("Whose spend belongs to this company?"),
        ...next("Where is it posted?"),
        ...next("What can people pick in Ramp?"),
        {
            content: "Expense accounts only",
            trigger: ".o_ramp_setup:has([name=offer_vendors] input:not(:checked)):has([name=push_users] input:not(:checked)) [name=offer_summary]:contains('Accounts: ')",
        },
        ...next("From when on?"),
        {
            content: "What is ready, by month",
            trigger: ".o_ramp_setup_counts tr:contains('Card transactions'):contains('42.00')",
        },
        ...choose("existing_policy", "Leave them alone"),
        ...next("Connect"),
        press("action_preview"),
        {
            content: "What would be posted",
            trigger: ".o_ramp_dry_run_totals tr:contains('Meals'):contains('42.00')",
        },
        press("action_connect"),
        step("Odoo is connected with Ramp"),
        {
            content: "The checklist of what is left",
            trigger: ".o_ramp_checks .o_kanban_record:contains('Accounting integration'):contains('OK')",
        },
        press("action_open_connection"),
        {
            content: "The connection",
            trigger: ".o_form_view [name=state] .o_arrow_button_current:contains('Connected')",
        },
    ],
});
