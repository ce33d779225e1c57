import { describeRegistration } from "./describe-registration.ts";
import { etcdStore } from "./record-store.ts";

describeRegistration("etcd", etcdStore);
