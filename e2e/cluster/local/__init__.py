"""A Kubernetes cluster of one node on a bare Linux machine: real control plane, kubelet, containerd and pods."""
