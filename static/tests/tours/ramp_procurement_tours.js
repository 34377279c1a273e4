/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { stepUtils } from "@web_tour/tour_utils";
import { addTour, row } from "./ramp_tours";

const shows = (field, text, content) => ({
    content: content || `It says: ${text}`,
    trigger: `.o_form_view .o_field_widget[name=${field}]:contains("${text}")`,
});

const status = (text) => ({
    content: `It is ${text}`,
    trigger: `.o_form_view .o_statusbar_status .o_arrow_button_current:contains("${text}")`,
});

const press = (name, content) => ({
    content,
    trigger: `.o_form_view .o_form_statusbar button[name=${name}]`,
    run: "click",
});

const openTab = (text) => [
    {
        content: `Open the page ${text}`,
        trigger: `.o_notebook .nav-link:contains("${text}")`,
        run: "click",
    },
    {
        trigger: `.o_notebook .nav-link.active:contains("${text}")`,
    },
];

const enter = (list, field, value) => [
    {
        content: `Into the cell ${field}`,
        trigger: `${list} .o_data_row td[name=${field}]`,
        run: "click",
    },
    {
        trigger: `${list} .o_data_row td[name=${field}] input`,
        run: `edit ${value}`,
    },
];

const pickings = {
    content: "To what arrived",
    trigger: "button.oe_stat_button[name=action_view_picking]",
    run: "click",
};

addTour("ramp_connector_order_confirm", {
    steps: () => [
        ...stepUtils.goToAppSteps("purchase.menu_purchase_root", "Open the purchase app"),
        row("Widget Supplier"),
        {
            content: "A request for quotation is nothing to Ramp",
            trigger: ".o_form_view:has([name=partner_id]):not(:has([name=ramp_state]))",
        },
        press("button_confirm", "Confirm the order"),
        status("Purchase Order"),
        shows("ramp_state", "Waiting to be sent"),
        {
            content: "The ledger is for accountants, and Ramp has no page of it yet",
            trigger: ".o_form_view:not(:has(button[name=action_open_ramp_record])):not(:has(button[name=action_open_in_ramp]))",
        },
    ],
});

addTour("ramp_connector_order_receive", {
    steps: () => [
        shows("ramp_state", "In Ramp", "The job has sent it"),
        {
            content: "Its page in Ramp is one click away; nothing is received yet",
            trigger: ".o_form_view:has(button[name=action_open_in_ramp]):not(:has([name=ramp_receipt_state]))",
        },
        pickings,
        {
            content: "What is not done is nothing to Ramp",
            trigger: ".o_form_view:has([name=move_ids] .o_data_row):not(:has([name=ramp_state]))",
        },
        ...enter(".o_field_widget[name=move_ids]", "quantity", 6),
        press("button_validate", "Six of ten arrived"),
        {
            content: "The others come later",
            trigger: ".modal button[name=process]",
            run: "click",
        },
        status("Done"),
        shows("ramp_state", "Waiting to be sent"),
        {
            content: "Back to the order",
            trigger: ".breadcrumb-item:not(.active) a, .o_back_button",
            run: "click",
        },
        shows("ramp_receipt_state", "Waiting to be sent", "The order says so, too"),
        shows("ramp_state", "In Ramp", "And is itself as it was"),
    ],
});

addTour("ramp_connector_order_return", {
    steps: () => [
        shows("ramp_receipt_state", "In Ramp", "What arrived is in Ramp"),
        {
            content: "Choose a further column",
            trigger: ".o_field_widget[name=order_line] .o_optional_columns_dropdown button",
            run: "click",
        },
        {
            trigger: ".o-dropdown--menu .o-dropdown-item:contains('Received in Ramp')",
            run: "click",
        },
        {
            content: "The line says how much",
            trigger: ".o_field_widget[name=order_line] .o_data_row td[name=ramp_qty_received]:contains('6')",
        },
        pickings,
        {
            content: "There are two: open what is done",
            trigger: ".o_list_view .o_data_row:contains('Done') .o_data_cell[name=name]",
            run: "click",
        },
        shows("ramp_state", "In Ramp"),
        {
            content: "Some of it goes back",
            trigger: ".o_form_statusbar button:contains('Return')",
            run: "click",
        },
        ...enter(".modal", "quantity", 2),
        {
            trigger: ".modal button[name=action_create_returns]",
            run: "click",
        },
        {
            content: "The return is ready",
            trigger: "body:not(:has(.modal)) .o_form_view .o_statusbar_status .o_arrow_button_current:contains('Ready')",
        },
        press("button_validate", "It has left"),
        status("Done"),
        shows("ramp_state", "Waiting to be sent"),
    ],
});

addTour("ramp_connector_order_cancel", {
    steps: () => [
        shows("ramp_receipt_state", "In Ramp"),
        {
            content: "The line says what is left",
            trigger: ".o_field_widget[name=order_line] .o_data_row td[name=qty_received]:contains('4')",
        },
        press("button_cancel", "No more of it"),
        status("Cancelled"),
        shows("ramp_state", "Waiting to be sent"),
    ],
});

addTour("ramp_connector_order_archived", {
    steps: () => [
        shows("ramp_state", "Cancelled in Odoo, so it is archived in Ramp."),
        shows("ramp_receipt_state", "Its receipts in Ramp stay with the archived order."),
    ],
});

addTour("ramp_connector_order_held", {
    steps: () => [
        status("Purchase Order"),
        shows("ramp_state", "Ramp has no vendor for it yet.", "Explanation"),
        shows("ramp_state", "email", "And what to do"),
        {
            content: "Ramp has no page of it",
            trigger: ".o_form_view:not(:has(button[name=action_open_in_ramp]))",
        },
    ],
});

addTour("ramp_connector_order_refused", {
    steps: () => [
        status("Purchase Order"),
        shows("ramp_state", "Ramp refused it: ", "In Ramp's own words"),
    ],
});

addTour("ramp_connector_person_invite", {
    steps: () => [
        ...stepUtils.goToAppSteps("hr.menu_hr_root", "Open the employees app"),
        {
            content: "Open the employee",
            trigger: ".o_kanban_view .o_kanban_record:contains('Nora New')",
            run: "click",
        },
        ...openTab("Settings"),
        shows("ramp_state", "The user is a draft: no invitation was sent."),
        {
            content: "Invite her",
            trigger: ".o_form_view button[name=action_send_ramp_invitation]",
            run: "click",
        },
        {
            content: "It says what will happen",
            trigger: ".modal:contains('Ramp sends this person an email now.') .modal-footer .btn-primary",
            run: "click",
        },
        shows("ramp_state", "Waiting to be sent"),
        {
            content: "Once is enough; the ledger is for accountants",
            trigger: ".o_form_view:not(:has(button[name=action_send_ramp_invitation])):not(:has(button[name=action_open_ramp_record]))",
        },
    ],
});

addTour("ramp_connector_person_rename", {
    steps: () => [
        ...openTab("Settings"),
        shows("ramp_state", "In Ramp: Invited."),
        {
            content: "Her page in Ramp",
            trigger: ".o_form_view .o_field_widget[name=ramp_url] a[href='https://app.ramp.test/people']:contains('Open in Ramp')",
        },
        {
            content: "She is married now",
            trigger: ".o_form_view .o_field_widget[name=name] input",
            run: "edit Nora Newer",
        },
        ...stepUtils.saveForm(),
        shows("ramp_state", "Waiting to be sent"),
    ],
});

addTour("ramp_connector_person_archive", {
    steps: () => [
        ...openTab("Settings"),
        shows("ramp_state", "In Ramp: Invited."),
        {
            content: "She leaves",
            trigger: ".o_cp_action_menus button:has(.fa-cog)",
            run: "click",
        },
        {
            trigger: ".o-dropdown--menu .o_menu_item:contains('Archive')",
            run: "click",
        },
        {
            content: "Odoo asks why",
            trigger: ".modal:has([name=departure_reason_id]) button[name=action_register_departure]",
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) .o_form_view .ribbon:contains('Archived')",
        },
        shows("ramp_state", "Waiting to be sent"),
    ],
});

addTour("ramp_connector_person_archived", {
    steps: () => [
        ...openTab("Settings"),
        shows("ramp_state", "Archived in Odoo"),
        {
            content: "Who is gone is not invited",
            trigger: ".o_form_view:not(:has(button[name=action_send_ramp_invitation]))",
        },
    ],
});

const toggle = (field, content) => ({
    content,
    trigger: `.o_form_view .o_field_widget[name=${field}] input[type=checkbox]`,
    run: "click",
});

const discard = {
    content: "Think better of it",
    trigger: ".o_form_button_cancel",
    run: "click",
};

addTour("ramp_connector_settings", {
    steps: () => [
        row("Ramp of the tour"),
        ...openTab("Procurement"),
        {
            trigger: ".o_form_view:has([name=push_receipts])",
        },
        toggle("push_orders", "No orders"),
        {
            content: "Then no receipts of them either",
            trigger: ".o_form_view:has([name=push_orders]):not(:has([name=push_receipts]))",
        },
        ...openTab("People"),
        {
            content: "Nobody gets an email by itself",
            trigger: ".o_form_view:has([name=user_role]):not(:contains('gets an email from Ramp'))",
        },
        {
            content: "Invite everybody",
            trigger: ".o_field_widget[name=user_invitation] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains('Every new user')",
            run: "click",
        },
        {
            content: "The page says what that means",
            trigger: ".o_form_view .text-warning:contains('gets an email from Ramp')",
        },
        {
            content: "Who owns or administers the business is not for Odoo to say",
            trigger: ".o_field_widget[name=user_role] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_menu:has(.o_select_menu_item:contains('Bookkeeper')):not(:contains('Owner')):not(:contains('Admin'))",
        },
        {
            trigger: ".o_select_menu_item:contains('Bookkeeper')",
            run: "click",
        },
        toggle("push_users", "Nobody at all"),
        {
            content: "Then there is nothing to choose, and nothing to be warned of",
            trigger: ".o_form_view:has([name=push_users]):not(:has([name=user_invitation])):not(:has([name=user_role])):not(:contains('gets an email from Ramp'))",
        },
        ...openTab("Real Time"),
        {
            content: "Without webhooks there is nothing to say of them",
            trigger: ".o_form_view:has([name=use_webhooks]):not(:has([name=webhook_state])):not(:has([name=webhook_message]))",
        },
        toggle("use_webhooks", "Switch them on"),
        shows("webhook_state", "No Public Address"),
        shows("webhook_message", "Ramp cannot reach http://127.0.0.1", "Why, and what it takes"),
        {
            trigger: ".o_form_view .alert:contains('starts with https'):contains('the jobs check every 15 minutes')",
        },
        toggle("use_webhooks", "And off"),
        {
            trigger: ".o_form_view:has([name=use_webhooks]):not(:has([name=webhook_state])):not(:has([name=webhook_message]))",
        },
        discard,
        {
            content: "Nothing is changed",
            trigger: "body:not(:has(.o_form_status_indicator_buttons:not(.invisible))) .o_form_view",
        },
        ...openTab("People"),
        {
            trigger: ".o_form_view:has([name=user_invitation]):has([name=user_role])",
        },
        ...openTab("Procurement"),
        {
            trigger: ".o_form_view:has([name=push_receipts])",
        },
    ],
});

addTour("ramp_connector_webhooks_on", {
    steps: () => [
        row("Ramp of the tour"),
        ...openTab("Real Time"),
        toggle("use_webhooks", "Switch them on"),
        ...stepUtils.saveForm(),
        shows("webhook_state", "Waiting for Ramp", "Ramp has to say yes"),
    ],
});

addTour("ramp_connector_webhooks_off", {
    steps: () => [
        row("Ramp of the tour"),
        ...openTab("Real Time"),
        shows("webhook_state", "Active", "Ramp has"),
        {
            content: "And has told of something",
            trigger: ".o_form_view:has([name=last_event]):not(:has([name=webhook_message]))",
        },
        toggle("use_webhooks", "No more of it"),
        ...stepUtils.saveForm(),
        {
            trigger: ".o_form_view:has([name=use_webhooks]):not(:has([name=webhook_state]))",
        },
    ],
});
