#include <lintel/train/html_text.hpp>
#include <lintel/train/page.hpp>

namespace lintel::train {
namespace {

constexpr const char* page_style = R"css(
:root {
  color-scheme: light dark;
  --page: #f7f6f3; --card: #ffffff; --ink: #20242b; --quiet: #656c78; --rule: #e3e1db;
  --first: #2667c9; --second: #d2571f; --third: #12805c; --pale: #c9cdd4; --wrong: #b3352b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --ink: #e6e8eb; --quiet: #98a0ac; --rule: #2e343d;
    --first: #6ea3f5; --second: #f08d58; --third: #4fc497; --pale: #454d59; --wrong: #f07f74;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 56px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 6px; }
h2 { font-size: 15px; margin: 36px 0 12px; }
.summary { color: var(--quiet); margin: 0 0 24px; max-width: 100ch; }
figure, .card, .figures div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
figure { margin: 0; padding: 16px 18px 10px; max-width: 760px; }
figcaption { font-weight: 600; }
.card { padding: 6px 18px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--quiet); }
th, td { padding: 8px 14px 8px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
)css";

}  // namespace

std::string html_page(const std::string& title, const std::string& style, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
         html_element("title", title) + "\n<style>" + page_style + style + "</style>\n</head>\n<body>\n<main>\n" +
         body + "</main>\n</body>\n</html>\n";
}

}  // namespace lintel::train
