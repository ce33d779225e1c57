import { describeRegistration } from "./describe-registration.ts";
import { memoryStore, sqliteStore } from "./record-store.ts";

describeRegistration("memory", memoryStore);
describeRegistration("SQLite", sqliteStore);
