# Contracts and chain tools: Node.js is needed to build, not to run.
FROM node:22-slim AS contracts
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --ignore-scripts
COPY contracts contracts
RUN contracts/forge build src \
 && cp node_modules/@foundry-rs/anvil-linux-*/bin/anvil /usr/local/bin/anvil

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 UNDROP_HOME=/data
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY --from=contracts /usr/local/bin/anvil /usr/local/bin/anvil
COPY --from=contracts /app/contracts/out contracts/out
# Creation code of the Safe, for a vault that is not there yet.
COPY --from=contracts /app/node_modules/@safe-global/safe-smart-account/build/artifacts/contracts \
     node_modules/@safe-global/safe-smart-account/build/artifacts/contracts
COPY api api
COPY chain chain
COPY custody custody
COPY returns returns
COPY settlement settlement
COPY triage triage
# Seaport's ABI, and its creation code for a local chain.
COPY --from=contracts /app/node_modules/@opensea/seaport-js/src/artifacts/seaport \
     node_modules/@opensea/seaport-js/src/artifacts/seaport
RUN useradd --system --uid 10001 undrop && mkdir /data && chown undrop /data
USER undrop
VOLUME /data
EXPOSE 8080
CMD ["python", "-m", "uvicorn", "--factory", "api.app:create_app", "--host", "0.0.0.0", "--port", "8080"]
