# The image of every Ultra Recovery process. Any base with Python 3.11 or newer will do: the public slim image, or one of your own.
ARG BASE_IMAGE=python:3.11-slim

# Everything the lock files name. Build tools and run-time packages live in two environments; only the second one is shipped.
FROM ${BASE_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
COPY requirements-build.txt requirements.txt ./
# The secrets are optional: the building machine's pip settings and certificates, seen by this one step and kept nowhere.
RUN --mount=type=secret,id=pip,target=/run/secrets/pip --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -e /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi \
    && python3 -m venv tools \
    && tools/bin/pip install --quiet --require-hashes -r requirements-build.txt \
    && python3 -m venv --without-pip /opt/ultra-recovery \
    && tools/bin/pip --python /opt/ultra-recovery/bin/python install --quiet --no-compile --require-hashes --only-binary :all: \
        -r requirements.txt \
    && cd /opt/ultra-recovery \
    && rm -rf include share bin/activate* bin/Activate* \
    && find lib -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} + \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash lib

# The package itself; no index is needed any more.
FROM dependencies AS package
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/ultra-recovery/bin/python install --quiet --no-compile --no-index --no-deps dist/*.whl \
    && mkdir /package && cd /opt/ultra-recovery \
    && python3 -m compileall -q --invalidation-mode unchecked-hash lib/python3*/site-packages/ultra_recovery \
    && cp -r --parents bin/ultra-recovery lib/python3*/site-packages/ultra_recovery* /package

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Ultra Recovery" \
      org.opencontainers.image.description="A Kubernetes operator that makes services heal themselves and records what it did." \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/ultra-recovery/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["ultra-recovery"]
# What changes least comes first: a change of code replaces only the last, small layer.
COPY --from=dependencies /opt/ultra-recovery /opt/ultra-recovery
COPY --from=package /package /opt/ultra-recovery
