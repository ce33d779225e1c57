import { ManagerError, ManagerErrorCode } from "@multipooler/manager";
import { TopoError, TopoErrorCode } from "@multipooler/topo";
import { expect, test } from "vitest";
import { explain } from "./fault.ts";

function topoError(code: TopoErrorCode): TopoError {
  return new TopoError({ code, key: "/key", message: "went wrong" });
}

test.each([
  [TopoErrorCode.Unavailable, "/key: went wrong (see --topo-global-server-addresses)"],
  [TopoErrorCode.Timeout, "/key: went wrong (see --topo-global-server-addresses)"],
  [TopoErrorCode.Denied, "/key: went wrong (see --topo-global-server-addresses, --topo-etcd-*)"],
  [TopoErrorCode.NoNode, "/key: went wrong"],
])("a failure of the topology with code %s says where to look", (code, line) => {
  expect(explain(topoError(code))).toBe(line);
});

test("a refused registration points at the identity, or at the store if that refused", () => {
  const refused = (cause?: TopoError): ManagerError =>
    new ManagerError(ManagerErrorCode.RegistrationRefused, "refused", { cause });
  expect(explain(refused())).toBe(
    "refused (see --cell, --service-id, --database, --table-group, --shard)",
  );
  expect(explain(refused(topoError(TopoErrorCode.Denied)))).toBe(
    "refused (see --topo-global-server-addresses, --topo-etcd-*)",
  );
});

test("a fault that no setting fixes keeps its message", () => {
  expect(explain(new ManagerError(ManagerErrorCode.Internal, "broken"))).toBe("broken");
  expect(explain("thrown text")).toBe("thrown text");
});

test("an address of another machine is named as what it is", () => {
  const error = Object.assign(new Error("listen EADDRNOTAVAIL: address not available"), {
    code: "EADDRNOTAVAIL",
    syscall: "listen",
    address: "1.2.3.4",
    port: 15_200,
  });
  expect(explain(error)).toBe(
    "HTTP cannot listen on 1.2.3.4:15200: this machine does not have the address (see --bind-address, --http-port)",
  );
});
