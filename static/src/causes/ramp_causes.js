/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { ListController } from "@web/views/list/list_controller";
import { listView } from "@web/views/list/list_view";
import { RampProgressBar } from "../progress/ramp_progress";

/** The progress of each connection that the user sees. It takes no room while nothing runs. */
export class RampConnectionsProgress extends Component {
    static template = "ramp_connector.ConnectionsProgress";
    static components = { RampProgressBar };
    static props = { look: Number, onMoved: Function };

    setup() {
        const orm = useService("orm");
        onWillStart(async () => {
            this.connectionIds = await orm.silent.search("ramp.connection", [["state", "=", "connected"]]);
        });
    }
}

/** What waits is looked at again for as long as the jobs settle it, so that nobody reloads the page. */
const withProgress = (Controller, template) =>
    class extends Controller {
        static template = template;
        static components = { ...Controller.components, RampConnectionsProgress };

        setup() {
            this.progress = useState({ look: 0 });
            super.setup();
            // Only the load that was begun last comes to its end
            const load = this.model.load;
            this.model.load = (...args) => {
                this.isLastLoadOwn = this.isLoadingAgain;
                return load.apply(this.model, args);
            };
        }

        get modelParams() {
            const params = super.modelParams;
            // A button of a row has been pressed, or its dialog closed: the jobs may have something to do
            return { ...params, hooks: { ...params.hooks, onRootLoaded: () => this.onLoaded() } };
        }

        onLoaded() {
            if (!this.isOpen) {
                this.isOpen = true; // nothing was pressed yet
            } else if (!this.isLastLoadOwn) {
                this.progress.look++;
            }
        }

        async loadAgain() {
            this.isLoadingAgain = true;
            const loaded = this.model.load();
            this.isLoadingAgain = false;
            await loaded;
        }
    };

registry.category("views").add("ramp_cause_list", {
    ...listView,
    Controller: withProgress(ListController, "ramp_connector.CauseList"),
});
registry.category("views").add("ramp_cause_kanban", {
    ...kanbanView,
    Controller: withProgress(KanbanController, "ramp_connector.CauseKanban"),
});
