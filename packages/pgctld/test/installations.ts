import { binariesModule } from "@multipooler/postgres-binaries";
import { embeddedBinDir } from "../src/installation/embedded-installation.ts";
import { openInstallation } from "../src/installation/installation.ts";
import type { Installation } from "../src/installation/installation.ts";

/** PostgreSQL 17 from npm. */
export const embedded: Installation = await openInstallation(await embeddedBinDir(binariesModule));

/** PostgreSQL 15 of Debian, with all its programs; `undefined` on other systems. */
export const debian: Installation | undefined = await openInstallation(
  "/usr/lib/postgresql/15/bin",
).catch(() => undefined);

/** Every installation that tests run on. */
export const installations: readonly Installation[] = [
  embedded,
  ...(debian === undefined ? [] : [debian]),
];
