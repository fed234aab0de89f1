# docker build -t rag-local .                               # computes on the CPU
# docker build --build-arg DEVICE=cuda -t rag-local:cuda .   # on an NVIDIA GPU: docker run --gpus all …
# What of it was tried, and how: docs/install.md

FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rag rag
COPY cli cli
COPY service service
COPY data data
COPY docs/install docs/install
RUN /opt/uv/bin/uv build --wheel --out-dir dist
ARG DEVICE=cpu
ENV UV_TOOL_DIR=/opt/rag UV_TOOL_BIN_DIR=/opt/rag/bin UV_NO_CACHE=1 UV_PYTHON=/usr/bin/python3
RUN case "$DEVICE" in \
        cpu) extras=starter,postgres; without= ;; \
        cuda) extras=starter,postgres,cuda; without="--overrides docs/install/overrides-cuda.txt" ;; \
        *) echo "DEVICE is cpu or cuda" >&2; exit 1 ;; \
    esac; \
    /opt/uv/bin/uv tool install --overrides docs/install/overrides.txt $without \
        --constraints docs/install/constraints.txt "$(ls dist/*.whl)[$extras]"

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home rag && mkdir /data && chown rag /data
COPY --from=build /opt/rag /opt/rag
ENV PATH=/opt/rag/bin:$PATH RAG_HOME=/data RAG_CACHE=/data/cache HF_HOME=/data/hub
USER rag
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/usr/bin/python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
# Needs RAG_API_KEY, because others reach the address.
CMD ["rag", "serve", "--host", "0.0.0.0"]
