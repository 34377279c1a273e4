/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { ORM } from "@web/core/orm_service";
import { registry } from "@web/core/registry";
import { patch } from "@web/core/utils/patch";
import { stepUtils } from "@web_tour/tour_utils";

// Other tests may run beside these, on the same cores.
const SECONDS = 30;

export const addTour = (name, tour) =>
    registry.category("web_tour.tours").add(name, {
        ...tour,
        steps: () => tour.steps().map((step) => ({ timeout: 1000 * SECONDS, ...step })),
    });

export const menu = (section, item) => [
    {
        content: "Open a section of the menu",
        trigger: `.o_menu_sections button[data-menu-xmlid="${section}"]`,
        run: "click",
    },
    {
        content: "Choose in it",
        trigger: `.o-dropdown--menu a[data-menu-xmlid="${item}"]`,
        run: "click",
    },
];

export const row = (text) => ({
    content: `Open the row of ${text}`,
    trigger: `.o_list_view .o_data_row .o_data_cell:contains("${text}")`,
    run: "click",
});

addTour("ramp_connector_synchronize", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_synchronize"),
        row("Ramp of the tour"),
        {
            content: "Accountants see no secret",
            trigger: ".o_form_view:not(:has([name=client_secret])):not(:has([name=client_id]))",
        },
        {
            content: "Accountants do not connect or disconnect",
            trigger: ".o_form_statusbar:not(:has([name=action_connect])):not(:has([name=action_disconnect]))",
        },
        {
            content: "Synchronize",
            trigger: "button[name=action_sync_now]",
            run: "click",
        },
        {
            content: "It is queued, and the page says so",
            trigger: ".o_ramp_progress:contains('Synchronization queued')",
        },
    ],
});

addTour("ramp_connector_inbox", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        {
            content: "Two causes hold what cannot be posted",
            trigger: ".o_list_view:has(.o_data_row:contains('It has no account.')):has(.o_data_row:contains('does not exist in Odoo'))",
        },
        row("It has no account."),
        {
            content: "What has this cause, and nothing else",
            trigger: ".o_list_view:has(.o_data_row:contains('Blue Bottle Coffee')):not(:has(.o_data_row:contains('FedEx')))",
        },
        row("Blue Bottle Coffee"),
        {
            content: "The reason is what one reads first",
            trigger: ".alert-warning:contains('It has no account. Choose the accounting category in Ramp.')",
        },
        {
            content: "Try again",
            trigger: "button[name=action_retry]",
            run: "click",
        },
        {
            content: "It waits for the next run",
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Waiting')",
        },
        {
            content: "Back to what has the cause",
            trigger: ".o_back_button, .breadcrumb-item:not(.active) a",
            run: "click",
        },
        {
            content: "Nothing has it any more",
            trigger: ".o_list_view:not(:has(.o_data_row:contains('Blue Bottle Coffee')))",
        },
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        {
            content: "Leave out all that the other cause holds",
            trigger: ".o_data_row:contains('does not exist in Odoo') button[name=action_ignore]",
            run: "click",
        },
        {
            content: "Say why",
            trigger: ".modal [name=reason] input",
            run: "edit Booked by hand",
        },
        {
            content: "Confirm",
            trigger: ".modal button[name=action_confirm]",
            run: "click",
        },
        {
            content: "Nothing needs attention",
            trigger: "body:not(:has(.modal)) .o_nocontent_help:contains('Nothing needs attention')",
        },
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_record"),
        row("FedEx"),
        {
            content: "It is ignored, and by whom and why",
            trigger: ".o_form_view .alert:contains('Booked by hand')",
        },
        {
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Ignored')",
        },
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_record"),
        row("Amazon Web Services"),
        {
            content: "Open what it became",
            trigger: "button[name=action_open_document]:contains('Journal Entry')",
            run: "click",
        },
        {
            content: "It is the entry, and it says what Ramp knows",
            trigger: ".o_form_view [name=ramp_state]:contains('Synced to Ramp')",
        },
        {
            content: "And back to the row",
            trigger: "button[name=action_open_ramp_record]",
            run: "click",
        },
        {
            trigger: ".o_last_breadcrumb_item:contains('Amazon Web Services')",
        },
        {
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Synced to Ramp')",
        },
    ],
});

addTour("ramp_connector_rename", {
    steps: () => [
        {
            content: "Ramp has the account",
            trigger: ".o_form_view [name=ramp_state]:contains('In Ramp')",
        },
        {
            content: "Rename it",
            trigger: ".o_form_view [name=name] input",
            run: "edit Meals of the tour",
        },
        ...stepUtils.saveForm(),
        {
            content: "It waits to be sent",
            trigger: ".o_form_view [name=ramp_state]:contains('Waiting to be sent')",
        },
    ],
});

addTour("ramp_connector_renamed", {
    steps: () => [
        {
            content: "The job has sent it",
            trigger: ".o_form_view [name=ramp_state]:contains('In Ramp')",
        },
        {
            content: "Look at what was sent",
            trigger: "button[name=action_open_ramp_record]",
            run: "click",
        },
        {
            content: "Ramp has the new name",
            trigger: ".o_form_view [name=sent_text]:contains('Name: Meals of the tour')",
        },
        {
            content: "It is in Ramp; there is nothing to ignore",
            trigger: ".o_form_view:has([name=status]:contains('In Ramp')):not(:has(button[name=action_ignore]))",
        },
        {
            content: "Back to the account",
            trigger: "button[name=action_open_document]:contains('Open in Odoo')",
            run: "click",
        },
        {
            trigger: ".o_form_view [name=ramp_state]:contains('In Ramp')",
        },
    ],
});

addTour("ramp_connector_offers", {
    steps: () => [
        row("Ramp of the tour"),
        {
            content: "See what is offered",
            trigger: ".o_notebook .nav-link:contains('Coding Options')",
            run: "click",
        },
        {
            content: "No type of account is chosen: the page says what that means",
            trigger: ".o_field_widget[name=account_policy] .o_radio_item:contains('types chosen') input",
            run: "click",
        },
        {
            trigger: ".o_form_view:contains('Choose at least one type')",
        },
        {
            content: "Choose one",
            trigger: ".o_field_widget[name=account_type_ids] .form-check:contains('Expenses') input",
            run: "click",
        },
        {
            trigger: ".o_form_view:not(:contains('Choose at least one type'))",
        },
        {
            content: "Think better of it",
            trigger: ".o_form_button_cancel",
            run: "click",
        },
        {
            content: "One account was refused",
            trigger: ".o_ramp_offers tr[data-flow=account] td[data-kind=problem] a:contains('1')",
            run: "click",
        },
        {
            content: "It is in the ledger, with the reason",
            trigger: ".o_list_view .o_data_row:contains('No such name'):contains('Refused'):contains('Ramp refused it')",
        },
        {
            content: "And nothing else is",
            trigger: ".o_list_view:not(:has(.o_data_row:contains('In Ramp')))",
        },
    ],
});

addTour("ramp_connector_payables", {
    steps: () => [
        row("Ramp of the tour"),
        {
            content: "How bills and reimbursements are booked",
            trigger: ".o_notebook .nav-link:contains('Payables')",
            run: "click",
        },
        {
            content: "The journals were chosen when it was connected",
            trigger: ".o_form_view:has([name=bill_journal_id] input):has([name=payment_journal_id] input)",
        },
        {
            content: "Payments outside of Ramp are to be entered in Odoo",
            trigger: ".o_field_widget[name=manual_payment_policy] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains('Wait until the payment is entered')",
            run: "click",
        },
        {
            content: "Then they need no journal",
            trigger: ".o_form_view:not(:has([name=manual_payment_journal_id]))",
        },
        {
            content: "No bills at all",
            trigger: ".o_field_widget[name=pull_bills] input",
            run: "click",
        },
        {
            content: "Then there is nothing to choose of them; reimbursements still have journals",
            trigger: ".o_form_view:not(:has([name=bill_policy])):not(:has([name=vendor_policy])):has([name=bill_journal_id])",
        },
        {
            content: "Think better of it",
            trigger: ".o_form_button_cancel",
            run: "click",
        },
        {
            trigger: ".o_form_view:has([name=bill_policy]):has([name=manual_payment_journal_id])",
        },
    ],
});

addTour("ramp_connector_bill", {
    steps: () => [
        {
            content: "The bill is paid, and the bank has not shown it yet",
            trigger: ".o_form_view:has(.ribbon:contains('In Payment')) [name=ramp_state]:contains('Synced to Ramp')",
        },
        {
            content: "With every line",
            trigger: ".o_field_widget[name=invoice_line_ids]:contains('Storage'):contains('Compute')",
        },
        {
            content: "Look at its payment",
            trigger: "button[name=open_payments]",
            run: "click",
        },
        {
            content: "It is one transfer for two bills, and bears Ramp's number of it",
            trigger: ".o_form_view:has(button[name=button_open_bills]:contains('2')) [name=ramp_id]:contains('-')",
        },
        {
            content: "Ramp knows of it",
            trigger: ".o_form_view [name=ramp_state]:contains('Synced to Ramp')",
        },
        {
            content: "Look at its row",
            trigger: "button[name=action_open_ramp_record]",
            run: "click",
        },
        {
            trigger: ".o_form_view [name=flow]:contains('Bill payments')",
        },
        {
            content: "And back to the payment",
            trigger: "button[name=action_open_document]:contains('Payment')",
            run: "click",
        },
        {
            trigger: ".o_form_view:has(button[name=button_open_bills])",
        },
    ],
});

addTour("ramp_connector_changed_bill", {
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        row("Ramp changed it"),
        {
            content: "What changed after it was booked stands out",
            trigger: ".o_data_row:has(.text-warning):contains('Bright Design Studio BDS-118'):contains('Ramp changed it')",
        },
        row("Bright Design Studio BDS-118"),
        {
            content: "Before and after",
            trigger: ".o_form_view [name=late_changes]:contains('Amount: 1,800.00 USD, now 2,250.00 USD'):contains('now Photographs')",
        },
        {
            content: "What was picked is one line, in words",
            trigger: ".o_form_view [name=late_changes]:contains('Coding, line 2: (nothing), now ')",
        },
        {
            content: "The table marks what differs, not by colour alone",
            trigger: ".o_form_view [name=details_table] tr.o_ramp_changed:has(.badge:contains('Changed')):contains('2,250.00 USD')",
        },
        {
            content: "Either keep what is booked...",
            trigger: ".o_form_statusbar button:contains('Keep What Is Posted')",
        },
        {
            content: "...or take what Ramp says now",
            trigger: "button[name=action_rebook].btn-primary",
            run: "click",
        },
        {
            content: "It says what will happen",
            trigger: ".modal:contains('The posted document is reversed') .modal-footer .btn-primary",
            run: "click",
        },
        {
            content: "It waits for the next run",
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Waiting')",
        },
        {
            content: "There is nothing to decide any more",
            trigger: ".o_form_view:not(:has(button[name=action_rebook])):not(:has(.alert-warning))",
        },
    ],
});

addTour("ramp_connector_reversed_bill", {
    steps: () => [
        {
            content: "The bill as it was is reversed",
            trigger: ".o_form_view:has(.ribbon:contains('Reversed')):not(:has([name=ramp_state]))",
        },
        {
            content: "Its page says by what, and why",
            trigger: ".o-mail-Message:contains('Reversed by RBILL'):contains('Ramp changed it after it was posted')",
        },
        {
            content: "The reversal is one click away",
            trigger: ".o-mail-Message a:contains('RBILL')",
            run: "click",
        },
        {
            content: "It takes back the bill",
            trigger: ".o_form_view:contains('Vendor Credit Note') [name=ref]:contains('Ramp changed it after it was posted'), .o_form_view [name=ref] input:value('Ramp changed it')",
        },
    ],
});

addTour("ramp_connector_booked_again", {
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_record"),
        {
            content: "Open the row of the bill, not that of its file",
            trigger: ".o_list_view .o_data_row:contains('Bright Design Studio BDS-118'):not(:contains('Invoice:')) .o_data_cell[name=name]",
            run: "click",
        },
        {
            content: "Open what it became",
            trigger: "button[name=action_open_document]:contains('Bill')",
            run: "click",
        },
        {
            content: "It is the bill as Ramp has it now",
            trigger: ".o_field_widget[name=invoice_line_ids]:contains('Photographs')",
        },
        {
            trigger: ".o_form_view [name=ramp_state]:contains('Synced to Ramp')",
        },
    ],
});

addTour("ramp_connector_number_twice", {
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        row("already has a document with the number"),
        row("Gotham Property Group GPG-2041"),
        {
            content: "The reason says which document has the number",
            trigger: ".alert-warning:contains('already has a document with the number GPG-2041 in Odoo: BILL')",
        },
        {
            content: "Nothing is booked of it",
            trigger: ".o_form_view:not(:has(button[name=action_open_document])):has(button[name=action_ignore])",
        },
        {
            content: "Open the document that is named",
            trigger: "[name=reason_move_id] a:contains('GPG-2041')",
            run: "click",
        },
        {
            content: "It is the bill that came first",
            trigger: ".o_form_view:has([name=invoice_line_ids]) [name=ramp_state]:contains('Synced to Ramp')",
        },
    ],
});

const sum = (kind, side, amount) => ({
    content: `${kind}: ${amount} of ${side}`,
    trigger: `.o_ramp_tie_out tr[data-kind=${kind}] td[data-side=${side}]:contains('${amount}')`,
});

addTour("ramp_connector_tie_out_green", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_reports", "ramp_connector.ramp_menu_tie_out"),
        {
            content: "It is green",
            trigger: ".o_ramp_status[data-status=zero].alert-success:contains('Everything ties out to the cent'):contains('Last full check')",
        },
        {
            content: "Who may only read does not have Ramp read again",
            trigger: ".o_control_panel:has(.o_ramp_pdf):has(.o_ramp_xlsx):not(:has(.o_ramp_read))",
        },
        {
            content: "Nothing is unexplained",
            trigger: "tr[data-kind=summary][data-green=yes]:has(td[data-side=odoo]:contains('68.20')) td[data-side=unexplained]:contains('0.00')",
        },
        sum("balance", "odoo", "68.20"),
        {
            content: "Months are folded but the last one",
            trigger: "tr[data-month='2026-07'] .o_ramp_toggle[aria-expanded=false]",
            run: "click",
        },
        {
            content: "Unfolded, a month has its own rows",
            trigger: "tr[data-month='2026-07'] ~ tr[data-kind=line]:contains('Cashback') td[data-side=ramp]:contains('-')",
        },
        {
            content: "Look at one month only",
            trigger: ".o_ramp_from",
            run: "select 2026-08",
        },
        {
            content: "What came before is the opening balance",
            trigger: ".o_ramp_tie_out:not(:has(tr[data-month='2026-07'])) tr[data-kind=balance]:contains('Opening') td[data-side=odoo]:contains('118.20')",
        },
        {
            content: "Take it along as a workbook",
            trigger: ".o_ramp_xlsx",
            run: "click",
        },
        {
            content: "The report is still there",
            trigger: ".o_ramp_tie_out tr[data-kind=balance]:contains('Opening')",
        },
        {
            content: "Choose everything again",
            trigger: ".o_ramp_period",
            run: "click",
        },
        {
            trigger: ".o-dropdown-item[data-period=everything]",
            run: "click",
        },
        {
            trigger: "tr[data-month='2026-07'] td[data-side=ramp] .o_ramp_figure",
            run: "click",
        },
        {
            content: "What Ramp says, in the ledger",
            trigger: ".o_list_view .o_data_row:contains('Amazon Web Services')",
        },
        ...menu("account.menu_finance_reports", "ramp_connector.ramp_menu_tie_out_analysis"),
        {
            content: "The pivot table opens",
            trigger: ".o_pivot_view .o_pivot:contains('Payments'):contains('July 2026')",
        },
        {
            trigger: "button.o_switch_view.o_graph",
            run: "click",
        },
        {
            trigger: ".o_graph_view",
        },
        {
            trigger: "button.o_switch_view.o_list",
            run: "click",
        },
        row("FedEx"),
        {
            content: "A row opens its object",
            trigger: ".o_form_view .oe_title:contains('FedEx')",
        },
    ],
});

addTour("ramp_connector_tie_out_sign_off", {
    steps: () => [
        {
            content: "A month that is not over is not signed",
            trigger: ".o_ramp_tie_out:has(.o_ramp_to):not(:has(.o_ramp_sign))",
        },
        {
            trigger: ".o_ramp_to",
            run: "select 2026-07",
        },
        {
            trigger: ".o_ramp_sign:contains('July 2026')",
            run: "click",
        },
        {
            trigger: ".modal .btn-primary:contains('Sign Off')",
            run: "click",
        },
        {
            content: "It says who signed, and nothing changed",
            trigger: ".o_ramp_tie_out:not(:has(.o_ramp_sign)) .o_ramp_sign_off[data-month='2026-07']:contains('signed by'):contains('Nothing changed')",
        },
        {
            trigger: ".o_ramp_withdraw",
            run: "click",
        },
        {
            content: "Without a reason it is not withdrawn",
            trigger: ".modal:has(.o_ramp_confirm:disabled) .o_ramp_reason",
            run: "edit Too early",
        },
        {
            trigger: ".modal .o_ramp_confirm:enabled",
            run: "click",
        },
        {
            content: "It stays, and the month can be signed again",
            trigger: ".o_ramp_tie_out:has(.o_ramp_sign) .o_ramp_sign_off:contains('withdrawn by'):contains('Too early')",
        },
    ],
});

addTour("ramp_connector_tie_out_rates", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_reports", "ramp_connector.ramp_menu_tie_out"),
        {
            content: "What was booked in a foreign currency stands beside Odoo's rates of the days",
            trigger: "section[data-open=rates] tr[data-kind=rate]:has(td[data-side=ramp]:contains('160.00')):has(td[data-side=odoo]:contains('100.00'))",
        },
        {
            content: "And is named where it is too far off",
            trigger: "section[data-open=rates] tr[data-kind=rate] th:contains('differs by more than the connection allows')",
        },
    ],
});

/** The differences of a month come page by page. */
addTour("ramp_connector_tie_out_pages", {
    url: "/odoo/ramp-tie-out",
    steps: () => [
        {
            content: "All are counted, and none of a folded month is there",
            trigger: ".o_ramp_tie_out:not(:has(tr[data-kind=difference])) tr[data-month='2026-07']:has(.badge:contains('6 differences')) .o_ramp_toggle",
            run: "click",
        },
        {
            content: "The first page, and how many are left",
            trigger: ".o_ramp_tie_out:has(tr[data-kind=difference]) .o_ramp_more:contains('3 are left')",
            run: "click",
        },
        {
            content: "The second page",
            trigger: ".o_ramp_more:contains('Show 1 more')",
            run: "click",
        },
        {
            content: "The last page; the count stays",
            trigger: ".o_ramp_tie_out:not(:has(.o_ramp_more)):has(tr[data-kind=difference]:contains('Sixth')) tr[data-month='2026-07']:has(.badge:contains('6 differences'))",
        },
    ],
});

addTour("ramp_connector_tie_out_amber", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_reports", "ramp_connector.ramp_menu_tie_out"),
        {
            content: "It is not green, and says how many",
            trigger: ".o_ramp_status[data-status=odd].alert-warning:contains('3 differences')",
        },
        {
            content: "The summary says what is unexplained",
            trigger: "tr[data-kind=summary][data-green=no] td[data-side=unexplained]",
        },
        {
            content: "The month is folded, and marked",
            trigger: "tr[data-month='2026-07']:has(.badge:contains('3 differences')) .o_ramp_toggle[aria-expanded=false]",
            run: "click",
        },
        {
            content: "Each difference has a name",
            trigger: "tr[data-kind=difference]:has(.badge:contains('Entered by hand'))",
        },
        {
            trigger: "tr[data-kind=difference]:has(.badge:contains('Draft')):contains('is a draft in Odoo. Post it.')",
        },
        {
            content: "Fold it",
            trigger: "tr[data-month='2026-07'] .o_ramp_toggle",
            run: "click",
        },
        {
            content: "And unfold it",
            trigger: ".o_ramp_tie_out:not(:has(tr[data-kind=difference])) tr[data-month='2026-07'] .o_ramp_toggle",
            run: "click",
        },
        {
            content: "Look at what was spent, in the books",
            trigger: "tr[data-month='2026-07'] ~ tr[data-kind=line]:contains('Spend') td[data-side=odoo] .o_ramp_figure",
            run: "click",
        },
        {
            content: "Open the entry",
            trigger: ".o_list_view .o_data_row .o_data_cell",
            run: "click",
        },
        {
            trigger: ".o_form_view",
        },
        {
            content: "Back to the items",
            trigger: ".breadcrumb-item a:contains('journal items'), .o_back_button:not(:has(.breadcrumb))",
            run: "click",
        },
        {
            trigger: ".o_list_view",
        },
        {
            content: "Back to the report",
            trigger: ".breadcrumb-item a:contains('Ramp Tie-Out')",
            run: "click",
        },
        {
            content: "Open a difference: its row in the ledger",
            trigger: "tr[data-kind=difference]:has(.badge:contains('On hold')) .o_ramp_open",
            run: "click",
        },
        {
            content: "It says why, and what to do",
            trigger: ".o_form_view .alert:contains('It has no account')",
        },
        {
            trigger: ".breadcrumb-item a:contains('Ramp Tie-Out')",
            run: "click",
        },
        {
            content: "An entry that nothing stands behind opens itself",
            trigger: "tr[data-kind=difference]:has(.badge:contains('Entered by hand')) td[data-side=odoo] .o_ramp_figure",
            run: "click",
        },
        {
            trigger: ".o_form_view [name=line_ids], .o_form_view [name=name]:contains('RAMP')",
        },
    ],
});

addTour("ramp_connector_tie_out_unread", {
    steps: () => [
        {
            content: "Nothing differs, and yet it is not green: nobody has looked",
            trigger: ".o_ramp_status[data-status=unread].alert-warning:contains('never. Press Refresh from Ramp')",
        },
        {
            trigger: ".o_ramp_read",
            run: "click",
        },
        {
            content: "It is queued, and the page says so",
            trigger: ".o_ramp_tie_out .o_ramp_progress:contains('Synchronization queued')",
        },
    ],
});

addTour("ramp_connector_tie_out_unconnected", {
    steps: () => [
        {
            trigger: ".o_ramp_tie_out .o_nocontent_help:contains('Ramp is not connected yet')",
        },
    ],
});

addTour("ramp_connector_dashboard", {
    steps: () => [
        {
            content: "Health comes first, with the next step",
            trigger: ".o_ramp_health[data-level=warning]:contains('wait for a decision') .o_ramp_step:contains('Needs Attention')",
        },
        {
            content: "This month is compared",
            trigger: ".o_ramp_tie_out_card a[data-status]",
        },
        {
            content: "Each flow says when it ran",
            trigger: ".o_ramp_runs tr:contains('Card transactions'):contains('Finished')",
        },
        {
            content: "Open a cause",
            trigger: ".o_ramp_causes a:contains('does not exist in Odoo')",
            run: "click",
        },
        {
            content: "Its objects",
            trigger: ".o_list_view .o_data_row:contains('does not exist in Odoo')",
        },
        {
            content: "And back",
            trigger: ".o_back_button, .breadcrumb-item:not(.active) a",
            run: "click",
        },
        {
            content: "The next step leads to what needs attention",
            trigger: ".o_ramp_step",
            run: "click",
        },
        {
            trigger: ".o_list_view .o_data_row button[name=action_solve]:contains('Map')",
        },
    ],
});

const QUEUED = { run_state: "queued", sync_outcome: { text: "", done: 0, due: 1, is_over: false } };
const IDLE = { run_state: "idle", sync_outcome: false };

/** Give the progress bar the answers of `window.rampLooks`, and hold the next one back if that says so. */
const answerLooks = () => {
    const looks = (window.rampLooks = { answer: QUEUED, isHolding: false, isHeld: false, begun: 0, lists: 0 });
    patch(ORM.prototype, {
        async call(model, method, args, kwargs) {
            if (model === "ramp.cause" && method === "web_search_read") {
                looks.lists++;
            }
            if (model !== "ramp.connection" || method !== "read") {
                return super.call(model, method, args, kwargs);
            }
            const { answer, isHolding } = looks;
            looks.begun++;
            const result = await super.call(model, method, args, kwargs);
            if (isHolding) {
                Object.assign(looks, { answer: QUEUED, isHolding: false, isHeld: true });
                await new Promise((resolve) => (looks.release = resolve));
            }
            Object.assign(result[0], answer);
            return result;
        },
    });
};

/** Wait until a condition is true. */
const until = async (condition) => {
    while (!condition()) {
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
};

// A button is pressed while the page looks, and the answer to that look is from before it
addTour("ramp_connector_pressed_meanwhile", {
    url: "/odoo",
    steps: () => [
        {
            content: "Something is at work when the page opens",
            trigger: ".o_web_client",
            run: answerLooks,
        },
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        {
            content: "A look finds nothing at work, and its answer takes a while",
            trigger: ".o_list_view .o_data_row button[name=action_solve]",
            run: async () => {
                Object.assign(window.rampLooks, { answer: IDLE, isHolding: true });
                await until(() => window.rampLooks.isHeld);
            },
        },
        {
            content: "Say meanwhile what the account means",
            trigger: ".o_list_view .o_data_row button[name=action_solve]",
            run: "click",
        },
        {
            content: "It means nothing here",
            trigger: ".modal .o_field_widget[name=target] input[data-value=left_out]",
            run: "click",
        },
        {
            content: "Save it",
            trigger: ".modal button[name=action_confirm]",
            run: "click",
        },
        {
            content: "The answer arrives after the list was read again",
            trigger: "body:not(:has(.modal)) .o_list_view",
            run: async () => {
                await until(() => window.rampLooks.lists >= 2);
                window.rampLooks.release();
            },
        },
        {
            content: "The page looks again",
            trigger: ".o_list_view",
            run: () => {
                const { begun } = window.rampLooks;
                return until(() => window.rampLooks.begun > begun + 1);
            },
        },
        {
            content: "It reads the list when the job is done",
            trigger: ".o_list_view",
            run: () => {
                const { lists } = window.rampLooks;
                window.rampLooks.answer = IDLE;
                return until(() => window.rampLooks.lists > lists);
            },
        },
    ],
});
