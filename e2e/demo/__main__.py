"""The acts of the demo, one after the other."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from e2e.demo.dependency_down import dependency_down
from e2e.demo.footprint import untouched
from e2e.demo.hung_replica import hung_replica
from e2e.demo.pool_used_up import open_shop, pool_used_up
from e2e.demo.reset_by_hand import reset_by_hand
from e2e.demo.timeline import Show
from e2e.install import apply_examples, install_operator, make_namespace
from e2e.kube import Kube

NAMESPACE = "ultra-demo"


def main() -> int:
    """Run the demo; 0 only if everything recovered and nothing else was touched."""
    show = Show()
    show.begin("Installing the operator (by helm) and the examples")
    worker = ThreadPoolExecutor(1)
    shop = worker.submit(open_shop)
    operator = install_operator()
    Kube(NAMESPACE).run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    kube = make_namespace(NAMESPACE)
    apply_examples(kube)
    show.say("web: 3 replicas, readiness probe, no liveness probe; it needs inventory")
    show.say(
        "policy web: restart unready pods, else repair the inventory's stock, else page; not while inventory is down"
    )

    acts = (hung_replica, dependency_down, reset_by_hand, untouched)
    problems = [problem for act in acts for problem in act(kube, show)]
    problems += pool_used_up(shop.result(), show)
    show.begin("What kubectl shows")
    print(kube.run("get", "cb,rp,rr"))
    _look_around(operator)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    print("\nEverything recovered; nothing else was touched." if not problems else "\nNot as it should be: see above.")
    return 1 if problems else 0


def _look_around(operator: Kube) -> None:
    """How to go on."""
    print("The cluster stays up. To look around:")
    print('  export KUBECONFIG="$PWD/.cluster/kubeconfig" PATH="$PWD/.cluster/bin:$PATH"')
    print(f"  kubectl -n {NAMESPACE} describe rr\n  kubectl -n {NAMESPACE} explain cb.spec")
    print(f"  kubectl -n {operator.namespace} logs -l app.kubernetes.io/name=ultra-recovery -c operator --prefix")
    print("To remove it:\n  make clean")


if __name__ == "__main__":
    sys.exit(main())
