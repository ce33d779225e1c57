export const BROWSER_ADVICE: string =
  "MULTIPOOLER_CHROMIUM names no Chromium to test the status page in; npm test looks for one, and fetches it on Debian";

/** A Chromium; `undefined` where there is none. */
export const BROWSER: string | undefined = process.env["MULTIPOOLER_CHROMIUM"];

/** Whether its tests are left out: in CI they fail instead, since nobody reads there what was not tested. */
export const WITHOUT_BROWSER: boolean = BROWSER === undefined && process.env["CI"] === undefined;
