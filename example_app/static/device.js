// What a client calls itself, in a few words for people. Anybody may claim anything: it is a hint, no proof.

const SYSTEMS = [
  [/iPhone|iPod/, "iPhone", "phone"],
  [/iPad/, "iPad", "phone"],
  [/Android/, "Android", "phone"],
  [/CrOS/, "ChromeOS", "computer"],
  [/Windows/, "Windows", "computer"],
  [/Macintosh|Mac OS X/, "Mac", "computer"],
  [/Linux|X11/, "Linux", "computer"],
];

// In this order: almost every browser also claims to be Chrome or Safari.
const BROWSERS = [
  [/\bEdg(e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/(Chrome|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

/** The name of a client and its kind (computer, phone or program) by its user agent; unknown ones as they are. */
export function device(userAgent) {
  if (!userAgent?.trim()) return { name: "Unknown device", kind: "program" };
  if (!userAgent.startsWith("Mozilla/")) {
    // curl/8.5.0, python-requests/2.32 and the like
    const program = /^([a-z][\w.-]{0,40})\/\d/i.exec(userAgent);
    return { name: program ? program[1] : shortened(userAgent), kind: "program" };
  }
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [, system, kind] = SYSTEMS.find(([pattern]) => pattern.test(userAgent)) ?? [null, null, "computer"];
  if (!browser) return { name: shortened(userAgent), kind };
  return { name: system ? `${browser} on ${system}` : browser, kind };
}

function shortened(userAgent) {
  return userAgent.length > 80 ? `${userAgent.slice(0, 79)}…` : userAgent;
}
