# All that `make setup` installs, 7 GB (much less with TORCH=cpu), in an image:
#
#   docker build -t stpn .                    # or: --build-arg TORCH=cpu
#   docker run --gpus all --shm-size 8g -v "$PWD/data:/stpn/data" \
#       -v "$PWD/work_dirs:/stpn/work_dirs" stpn stpn train CONFIG
#
# Mounted folders have to be writable for the user with the id UID.
FROM python:3.12-slim-bookworm
ARG TORCH=
ARG UID=1000
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid "$UID" stpn \
    && install -d -o stpn -g stpn /stpn
USER stpn
WORKDIR /stpn
COPY --chown=stpn:stpn . .
RUN PIP_NO_CACHE_DIR=1 make setup TORCH="$TORCH"
ENV PATH=/stpn/.venv/bin:$PATH
CMD ["stpn", "--help"]
