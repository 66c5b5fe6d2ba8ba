// Microsoft's own library for Azure's Data Lake, as a second opinion on what we sign: installed with pip, at the version that speaks our
// version of the service, into .cache. `node scripts/servers/azure-sdk.ts` installs it.
import { fileURLToPath } from 'node:url'
import { installPython, type Python, tellInstalled } from './python.ts'

const PACKAGES = ['azure-storage-file-datalake==12.10.0', 'azure-storage-blob==12.15.0', 'azure-core==1.41.0', 'six==1.17.0']

/** Path of a Python that has the library, or why there is none. */
export const installAzureSdk = (): Python => installPython('azure-sdk-12.10.0', PACKAGES)

if (process.argv[1] === fileURLToPath(import.meta.url)) tellInstalled("Azure's library", installAzureSdk())
