/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { registry } from "@web/core/registry";
import { stepUtils } from "@web_tour/tour_utils";

const menu = (section, item) => [
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

const row = (text) => ({
    content: `Open the row of ${text}`,
    trigger: `.o_list_view .o_data_row .o_data_cell:contains("${text}")`,
    run: "click",
});

registry.category("web_tour.tours").add("ramp_connector_synchronize", {
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

registry.category("web_tour.tours").add("ramp_connector_inbox", {
    url: "/odoo",
    steps: () => [
        ...stepUtils.goToAppSteps("account.menu_finance", "Open the accounting app"),
        ...menu("account.menu_finance_payables", "ramp_connector.ramp_menu_problem"),
        {
            content: "The reason is in the list",
            trigger: ".o_data_row:contains('Blue Bottle Coffee'):contains('It has no account.')",
        },
        {
            content: "What is booked is not in the inbox",
            trigger: ".o_list_view:not(:has(.o_data_row:contains('Amazon Web Services')))",
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
            content: "Back to the inbox",
            trigger: ".o_back_button, .breadcrumb-item:not(.active) a",
            run: "click",
        },
        {
            content: "It has left the inbox",
            trigger: ".o_list_view:not(:has(.o_data_row:contains('Blue Bottle Coffee')))",
        },
        row("FedEx"),
        {
            content: "Leave it out",
            trigger: "button[name=action_ignore]",
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
            content: "It is ignored, and by whom and why",
            trigger: "body:not(:has(.modal)) .o_form_view .alert:contains('Booked by hand')",
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
            trigger: ".o_form_view [name=ramp_state]:contains('Confirmed')",
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
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Confirmed')",
        },
    ],
});

registry.category("web_tour.tours").add("ramp_connector_rename", {
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

registry.category("web_tour.tours").add("ramp_connector_renamed", {
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

registry.category("web_tour.tours").add("ramp_connector_offers", {
    steps: () => [
        row("Ramp of the tour"),
        {
            content: "See what is offered",
            trigger: ".o_notebook .nav-link:contains('Offered in Ramp')",
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
