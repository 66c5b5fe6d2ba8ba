// Text that is kept among other text, such as the SQL of a question in the audit trail: a sealed file (`sealed.ts`) in base64.
import type { Random } from '../../core/random.ts'
import type { DataKey, KeyRing } from './key-ring.ts'
import { openFile, sealFile } from './sealed.ts'

const PREFIX = 'sealed:'
const NAME = 'text'

export const sealText = (key: DataKey, text: string, random: Random): string =>
  `${PREFIX}${sealFile(key, NAME, Buffer.from(text), random).toString('base64')}`

/** The text as it was; what is not sealed as it is. @throws MR_SEAL_DAMAGED, MR_KEY_UNKNOWN */
export const openText = (ring: KeyRing, text: string): string =>
  text.startsWith(PREFIX) ? openFile(ring, NAME, Buffer.from(text.slice(PREFIX.length), 'base64')).content.toString() : text
