from __future__ import annotations
import sys
from e2e.cluster.console import Console
from e2e.cluster.layout import default_cache, Checkout
from e2e.cluster.local.cluster import LocalCluster
def main() -> int:
    c = LocalCluster(default_cache(), Checkout.here(), Console(sys.stderr))
    if sys.argv[1]=="up":
        c.up()
        co=Checkout.here(); co.folder.mkdir(exist_ok=True); co.kubeconfig.write_text(c.kubeconfig())
        co.programs.mkdir(exist_ok=True)
        for n in ("kubectl","helm"):
            l=co.programs/n; l.unlink(missing_ok=True); l.symlink_to(default_cache().binaries/n)
    elif sys.argv[1]=="status": print(*c.status()[1], sep="\n")
    else: c.down()
    return 0
