// Iceberg's own REST catalog server, in Java: the reference's handlers over a JDBC catalog in memory, over one connection, since each would have its own memory. Resolved with Maven at pinned
// versions into .cache. Needs Java 17 and Maven. It has no users, and files are where its warehouse is told to be.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJars } from './maven.ts'
import { freePort, untilAnswers } from './ports.ts'

const ICEBERG = '1.11.0'

const ARTIFACTS = [
  `org.apache.iceberg:iceberg-core:${ICEBERG}`,
  `org.apache.iceberg:iceberg-core:${ICEBERG}:tests`,
  `org.apache.iceberg:iceberg-open-api:${ICEBERG}:test-fixtures`,
  'org.apache.hadoop:hadoop-client-api:3.4.3',
  'org.apache.hadoop:hadoop-client-runtime:3.4.3',
  'org.eclipse.jetty.ee10:jetty-ee10-servlet:12.1.10',
  'org.eclipse.jetty.compression:jetty-compression-server:12.1.10',
  'org.eclipse.jetty.compression:jetty-compression-gzip:12.1.10',
  'org.xerial:sqlite-jdbc:3.53.2.0',
  'org.slf4j:slf4j-nop:2.0.17',
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `rest-catalog-${ICEBERG}`)

export interface RestCatalogServer {
  readonly uri: string
  stop(): Promise<void>
}

/** Undefined when it is installed, otherwise why not. */
export const installRestCatalog = (): string | undefined => resolveJars(home, ARTIFACTS)

/** Tables that clients do not place are below `warehouse`, a directory. */
export async function startRestCatalog(warehouse: string): Promise<RestCatalogServer> {
  const port = await freePort()
  const child = spawn('java', ['-cp', join(home, 'lib', '*'), 'org.apache.iceberg.rest.RESTCatalogServer'], {
    env: { ...process.env, CATALOG_REST_PORT: String(port), CATALOG_CLIENTS: '1', CATALOG_WAREHOUSE: `file://${warehouse}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const uri = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const failed = await untilAnswers(`${uri}/v1/config`, child)
  if (failed === undefined) return { uri, stop }
  await stop()
  throw new Error(`the REST catalog does not start: ${failed}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = installRestCatalog()
  console.log(failed ?? 'the REST catalog is installed')
  process.exitCode = failed ? 1 : 0
}
