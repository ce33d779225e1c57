import { WHOLE_FILE } from "./comparison.ts";
import type { KnownDifference } from "./comparison.ts";

const LABELLED =
  "A client that gives no application_name sees the pooler's own: it tells in pg_stat_activity whose connection it is.";
const NO_BACKEND_OF_ITS_OWN =
  "It ends the backend of a client that is idle. Here an idle client has none, and does not notice.";

/** Tests of node-postgres that cannot pass through a pooler, each with the reason. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = ["", " (native)"].flatMap((mode) => [
  {
    file: `pg/test/integration/client/appname-tests.js${mode}`,
    test: "No default appliation_name",
    reason: LABELLED,
  },
  {
    file: `pg/test/integration/connection-pool/error-tests.js${mode}`,
    test: "errors emitted on checked-out clients",
    reason: NO_BACKEND_OF_ITS_OWN,
  },
  {
    file: `pg/test/integration/gh-issues/130-tests.js${mode}`,
    test: WHOLE_FILE,
    reason: NO_BACKEND_OF_ITS_OWN,
  },
]);
