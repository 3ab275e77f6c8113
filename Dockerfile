# An image of certkit for an unprivileged user and a read-only root file system:
#
#     docker build -t certkit . && docker run --rm --read-only -v certkit:/var/lib/certkit certkit policy list
ARG PYTHON=python:3.13-slim
FROM $PYTHON AS build
COPY . /src
RUN python3 -m venv --without-pip /opt/certkit
RUN python3 -m pip --python /opt/certkit/bin/python3 install --quiet --require-hashes --requirement /src/constraints.txt
RUN python3 -m pip wheel --quiet --no-deps --wheel-dir /tmp/wheels /src
RUN python3 -m pip --python /opt/certkit/bin/python3 install --quiet --no-deps --no-index /tmp/wheels/certkit-*.whl

FROM $PYTHON
COPY --from=build /opt/certkit /opt/certkit
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/certkit certkit
RUN install -d -o certkit -m 0700 /var/lib/certkit
ENV PATH=/opt/certkit/bin:/usr/local/bin:/usr/bin:/bin HOME=/var/lib/certkit PYTHONDONTWRITEBYTECODE=1
USER certkit
WORKDIR /var/lib/certkit
VOLUME /var/lib/certkit
ENTRYPOINT ["certkit"]
CMD ["--help"]
