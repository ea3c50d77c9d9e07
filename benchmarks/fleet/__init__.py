"""Many breakers with real HTTP targets: what a probe costs and how late it comes, beside a bare loop and Prometheus."""
