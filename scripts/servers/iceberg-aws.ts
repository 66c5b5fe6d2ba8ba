// What Iceberg's Java library needs to reach S3, Amazon's own SDK among it: one jar beside that of `spark.ts`, brought by Maven at the
// same version into .cache. `node scripts/servers/iceberg-aws.ts` installs it.
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const ARTIFACT = 'org.apache.iceberg:iceberg-aws-bundle:1.10.1'
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'iceberg-aws-bundle-1.10.1')
const jar = join(home, 'iceberg-aws-bundle-1.10.1.jar')

/** Path of the jar, or why there is none. */
export function installIcebergAws(): { readonly jar: string } | { readonly missing: string } {
  if (existsSync(jar)) return { jar }
  mkdirSync(home, { recursive: true })
  const failed = run('mvn', ['--batch-mode', '--quiet', COPY, `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${home}`])
  return failed ? { missing: failed } : { jar }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installIcebergAws()
  console.log('jar' in result ? `Iceberg's part for S3 is installed: ${result.jar}` : result.missing)
  process.exitCode = 'jar' in result ? 0 : 1
}
