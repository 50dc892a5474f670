// The SPDY/3 header compression dictionary (SPDY protocol draft 3.1, section 2.6.10.1): a constant of the wire format, deflated here to save room.
import { inflateRawSync } from "node:zlib";

let dictionary: Buffer | undefined;

/** 1423 bytes, Adler-32 0xe3c6a7c2. */
export function spdyDictionary(): Buffer {
  dictionary ??= inflateRawSync(Buffer.from(deflated, "base64"));
  return dictionary;
}

const deflated =
  "ZVTbcts2ENXUspRJk7RJfgDPLRmDJOg4nfGDe3HrdNxkGnf6DIErCjEIICCoS76+u6DkKu2MJB4c7OXshZpMJnPno3a2n0wm0xXIhp7e9RGfJ36gx6wBAxEQ" +
  "ncYgFYGZVAo8XT4bUa5WMvRAzDd7BqxyjbbtEWWkbQfZUoSneyogBZT8ZORPpTFukwyGuHJBf5Ykjwgl1Qpy5WwMziDxGKEFtb9+QhdgY76QPQX69nA+0vHA" +
  "HQl59sCBbePqCyunDsm/PnBdUyct+2OSf5w97jydp41MHZtClJR5BluPUhHNEemQSp4ug+tS38d+P9LLvJNRkYjnhFH3UkOT99qmtj9F0joLD1bkcZDwEvFg" +
  "/+9jZB8fQpHPUVlPOrnNly5sZGhI0cwH2XYS0Qsf3HaX0xCwLK3Gcl7+yx6P5vSgYR5gCQECdSxADGi6jOk46yGsE/oqRZrjKmmTiOcIbY9+x6OaD74NsiHT" +
  "xwP65jgtS02armXY0b6sNemco3S7n+5ms/mv4FkHKJXKPmnTds76KOOQai05Z+9+pxgorB8refTb3d37s+JVQR5DMKknw8JoRUJwwXH/3L1Osu4BfC6NXqdE" +
  "2I9W24LzghclfcqS1yU/rziveFnxquKi4nVFzGvBS8Frwc8F4QvB34iCi6IQRSmKShRCFLUozkXxuuZlzUVNoSr2h7P51dh7rAITsxuL0+vSHEou0ID9NC5i" +
  "xQt269bQsPeABhYpsxNY8Y+yYX/CpwH6KNDmL3sYJjQCU1y7sNBNA1akcBGJwTY1Ot5g3GClYR/SJNkvIbhQYwiyuum8gQ6TANpWyUQroOhrHLNcGHgrLbuG" +
  "BbuVgV35gM8deztY/Bp2NbTo4iN7pyKGW7OfQTHOf0gfLMNm7G6AjP0NDaLVkLHroDP2QUb8GfD219s7tRrsPd5H2MazVexMpjvcmTNv2z366A+o1ctMem/0" +
  "+CKcbdH6izP5f09siuaN1HaEH7GeXgXtYzauhQ96jatG7xFGvmw/a581sDTIZX2jVvv/xcshLvOLw0H3Lr+4qN/kRUZ89l0G9tMlf/UP";
