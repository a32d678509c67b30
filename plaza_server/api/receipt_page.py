"""The public page of a receipt: plain HTML for a phone, no script, nothing from another host.

Every value is escaped here; the template holds the only markup but for the QR. A state is told by
word and sign, never by colour alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from plaza_server.rules.receipts import ReceiptState, ReceiptView, RefundProgress
from tolling.best_price import sentence
from tolling.money import Money
from tolling.receipts import Receipt, check_code
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass

_TEMPLATE = Path(__file__).with_suffix(".html")
_BEIJING = timezone(timedelta(hours=8))

_TENDERS = {
    "alipay": ("支付宝", "Alipay"),
    "wechat": ("微信支付", "WeChat Pay"),
    "unionpay": ("银联", "UnionPay"),
    "cash": ("现金", "Cash"),
    "etc": ("ETC", "ETC"),
    "coupon": ("优惠券", "Coupon"),
}
_PROGRESS = {
    RefundProgress.ASKED: ("待审核", "being looked at"),
    RefundProgress.UNDER_WAY: ("退款中", "on its way back"),
    RefundProgress.DONE: ("已退回", "given back"),
    RefundProgress.REFUSED: ("未通过", "not granted"),
}
_DIGITS = "一二三四五六"


@cache
def _template() -> Template:
    return Template(_TEMPLATE.read_text(encoding="utf-8"))


def is_chinese(asked: str, accepted: str) -> bool:
    """Return whether the page is to be Chinese: as *asked* (zh, en), else by the first language
    of the Accept-Language text *accepted* that it has, else Chinese."""
    if asked in ("zh", "en"):
        return asked == "zh"
    best, chinese = -1.0, True
    for part in accepted[:200].split(","):
        tag, _, rest = part.strip().lower().partition(";")
        language = tag.partition("-")[0]
        try:
            weight = float(rest.strip().removeprefix("q=") or "1")
        except ValueError:
            continue
        if language in ("zh", "en") and weight > best:
            best, chinese = weight, language == "zh"
    return chinese


def unknown(*, chinese: bool, simulation: bool) -> str:
    """Return the page of a number and code that belong to no receipt."""
    zh = "没有这个号码和校验码的收据。请核对二维码是否完整。收据在车辆驶离后几秒内可查。"
    en = (
        "There is no receipt of this number and code. Check that the QR was read whole. A receipt"
        " is known some seconds after the car has left."
    )
    said = (zh if chinese else en,)
    headline = "✕ 查无此收据" if chinese else "✕ Not known"
    return _page(headline, "bad", said, "", chinese=chinese, simulation=simulation, query="")


def shown(view: ReceiptView, *, chinese: bool, plaza_name: str, simulation: bool, qr: str) -> str:
    """Return the page of a receipt. *qr*: its QR as an SVG element."""
    headline, class_, said = _verdict(view, chinese)
    rows = _rows(view, chinese, plaza_name)
    lines = "".join(
        f"<dt>{escape(name)}</dt><dd{extra}>{escape(value)}</dd>" for name, value, extra in rows
    )
    note = (
        "二维码内含收费站的电子签名，持有公钥者可离线验证（plaza-server receipt verify）；"
        "是否已报销或作废，只有本页知道。"
        if chinese
        else "The QR holds the plaza's signature. Whoever has the public key can check it without a"
        " network (plaza-server receipt verify); only this page knows whether it was reimbursed or"
        " voided."
    )
    body = (
        f"<section><dl>{lines}</dl></section>"
        f'<section>{qr}<p class="note">{escape(note)}</p></section>'
    )
    query = f"c={check_code(view.receipt.chain_hash)}&amp;"
    return _page(headline, class_, said, body, chinese=chinese, simulation=simulation, query=query)


def _page(
    headline: str,
    class_: str,
    said: tuple[str, ...],
    body: str,
    *,
    chinese: bool,
    simulation: bool,
    query: str,
) -> str:
    practice = "模拟运行，没有真实扣款" if chinese else "Simulation: no real money moves"
    return _template().substitute(
        lang="zh-CN" if chinese else "en",
        title="通行费收据" if chinese else "Toll receipt",
        other_query=f"{query}lang={'en' if chinese else 'zh'}",
        other_lang="en" if chinese else "zh-CN",
        other_name="English" if chinese else "中文",
        class_=class_,
        headline=escape(headline),
        sentences="".join(f"<p>{escape(each)}</p>" for each in said),
        practice=f'<div class="practice">{escape(practice)}</div>' if simulation else "",
        body=body,
    )


def _verdict(view: ReceiptView, chinese: bool) -> tuple[str, str, tuple[str, ...]]:
    """Return headline, colour and sentences of what the receipt is worth now."""
    reimbursed = next((s for s in view.steps if s.to_state is ReceiptState.REIMBURSED), None)
    when = "" if reimbursed is None else _time(reimbursed.wall_ms, chinese)
    if view.state is ReceiptState.VOIDED:
        said = [_why_void(view, chinese)]
        if reimbursed is not None:
            before = f"作废前已于 {when} 报销。"
            said.append(before if chinese else f"It was reimbursed before that, on {when}.")
        return ("✕ 已作废" if chinese else "✕ Void"), "bad", tuple(said)
    if reimbursed is not None:
        once = f"已于 {when} 报销，不能再次报销。"
        said_once = once if chinese else f"Paid out on {when}. It cannot be paid out again."
        headline = "! 已报销" if chinese else "! Already reimbursed"
        return headline, "part", (said_once, *_part(view, chinese))
    if view.refunded_fen:
        headline = "! 有效，已部分退款" if chinese else "! Valid, refunded in part"
        return headline, "part", _part(view, chinese)
    good = "收费站签发的真实收据，尚未报销。"
    good_en = "Genuine, signed by the plaza, not reimbursed yet."
    return ("✓ 有效" if chinese else "✓ Valid"), "good", (good if chinese else good_en,)


def _why_void(view: ReceiptView, chinese: bool) -> str:
    if view.refunded_whole:
        return "通行费已全额退还。" if chinese else "The whole toll was given back."
    return "收费站已收回本收据。" if chinese else "The plaza took this receipt back."


def _part(view: ReceiptView, chinese: bool) -> tuple[str, ...]:
    if not view.refunded_fen:
        return ()
    back = _yuan(view.refunded_fen, chinese)
    left = _yuan(view.receipt.toll_fen - view.refunded_fen, chinese)
    if chinese:
        return (f"已退款 {back}，可报销金额 {left}。",)
    return (f"{back} was given back; {left} may be claimed.",)


def _rows(view: ReceiptView, chinese: bool, plaza_name: str) -> list[tuple[str, str, str]]:
    """Return (name, value, attribute of the value's element) of each line."""
    receipt = view.receipt
    pick = 0 if chinese else 1
    rows = [
        (("实付", "Paid")[pick], _yuan(receipt.toll_fen, chinese), ' class="sum"'),
        *((name, value, "") for name, value in _legs(receipt, chinese)),
    ]
    comma = ("，", ", ")[pick]
    for refund in view.refunds:
        name = (("退款", "Refund") if refund.of_toll else ("多付退款", "Paid too much"))[pick]
        how = _PROGRESS[refund.progress][pick]
        tender = _TENDERS.get(refund.tender, (refund.tender, refund.tender))[pick]
        rows.append((name, f"{_yuan(refund.amount_fen, chinese)} {tender}{comma}{how}", ""))
    if receipt.full_toll_fen != receipt.toll_fen:
        rows.append((("应收全额", "Full toll")[pick], _yuan(receipt.full_toll_fen, chinese), ""))
    for reason in receipt.why:
        said = sentence(reason.code, reason.saved_fen, chinese=chinese)
        rows.append((("减免", "Less")[pick], said, ""))
    entry = receipt.entry_station
    if receipt.entry_source is EntrySource.FARTHEST:
        entry += ("（入口不明，按最远）", " (entry not known: farthest)")[pick]
    facts = (
        (("出口", "Exit"), f"{plaza_name} {receipt.lane_id}"),
        (("入口", "Entry"), entry or "—"),
        (("驶离时间", "Left at"), _time(receipt.exited_ms, chinese)),
        (("车型", "Class"), _class(receipt.vehicle_class, chinese)),
        (("车牌", "Plate"), receipt.plate or "—"),
        (("收款方", "Payee"), receipt.payee),
        (("收据号", "Receipt no."), receipt.receipt_no),
    )
    rows += [(names[pick], value, "") for names, value in facts]
    return rows


def _legs(receipt: Receipt, chinese: bool) -> list[tuple[str, str]]:
    legs = []
    for leg in receipt.legs:
        names = _TENDERS.get(leg.tender, (leg.tender, leg.tender))
        name = f"· {names[0 if chinese else 1]}"
        legs.append((name, _yuan(leg.amount_fen, chinese)))
    return legs


def _yuan(fen: int, chinese: bool) -> str:
    text = Money(fen).yuan_text()
    return f"{text} 元" if chinese else f"¥{text}"


def _time(utc_ms: int, chinese: bool) -> str:
    try:
        when = datetime.fromtimestamp(utc_ms / 1000, _BEIJING)
    except (OverflowError, ValueError, OSError):
        return "—"
    text = when.strftime("%Y-%m-%d %H:%M:%S")
    return text if chinese else f"{text} (Beijing)"


def _class(vehicle_class: VehicleClass, chinese: bool) -> str:
    groups = (("客车", "passenger car"), ("货车", "truck"), ("专项作业车", "special vehicle"))
    group, number = divmod(int(vehicle_class), 10)
    zh, en = groups[group]
    return f"{_DIGITS[number - 1]}型{zh}" if chinese else f"{en}, class {number}"
