# The image of every Ultra Recovery process. Any base with Python 3.11 or newer will do: the public slim image, or one of your own.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Build tools and run-time packages live in two environments, so that only the second one is shipped.
COPY requirements-build.txt requirements.txt ./
# The secrets are optional: the building machine's pip settings and certificates, seen by this one step and kept nowhere.
RUN --mount=type=secret,id=pip,target=/run/secrets/pip --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -e /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi \
    && python3 -m venv /build/tools \
    && /build/tools/bin/pip install --quiet --require-hashes -r requirements-build.txt \
    && python3 -m venv /opt/ultra-recovery \
    && /opt/ultra-recovery/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# No index is needed any more: the package is built and installed from what is here.
RUN /build/tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /build/dist . \
    && /opt/ultra-recovery/bin/pip install --quiet --no-index --no-deps /build/dist/*.whl \
    && /opt/ultra-recovery/bin/pip uninstall --quiet --yes pip setuptools \
    && cd /opt/ultra-recovery \
    && find . -depth -type d \( -name __pycache__ -o -name tests -path '*/site-packages/*' \) -exec rm -rf {} + \
    && rm -rf include share bin/activate* bin/Activate* \
    && python3 -m compileall -q --invalidation-mode unchecked-hash lib

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Ultra Recovery" \
      org.opencontainers.image.description="A Kubernetes operator that makes services heal themselves and records what it did." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /opt/ultra-recovery /opt/ultra-recovery
ENV PATH=/opt/ultra-recovery/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["ultra-recovery"]
