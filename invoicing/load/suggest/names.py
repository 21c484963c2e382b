"""What columns of other systems are called, in the order of how sure their names are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# For what a column may be: names without case, spaces and signs.
NAMES: dict[str, str] = {
    "invoice_id": "invoiceid invoicenumber invoiceno invoicenum invoice invoicenr orderid orderno "
    "ordernumber billno billnumber docnumber documentnumber documentno rechnungsnummer "
    "rechnungsnr rechnung belegnummer belegnr numerofacture facture id number num no nr",
    "account_id": "accountid customerid clientid contactid customerno customernumber clientno "
    "accountno accountnumber debtorno kundennummer kundennr kundenid custid customer client "
    "contact account kunde debtor billto buyer contactname customername clientname companyname",
    "own_id": "id accountid customerid clientid contactid customerno customernumber kundennummer "
    "kundennr custid no nr number code",
    "name": "name companyname company customername clientname contactname accountname fullname "
    "displayname firma firmenname kundenname organisation organization raisonsociale customer "
    "client contact kunde email",
    "first_name": "firstname givenname vorname prenom",
    "last_name": "lastname surname familyname nachname nom",
    "plan": "plan planname tier subscription segment customertype customergroup pricelist "
    "kundengruppe",
    "amount": "amountcents totalcents total grandtotal invoicetotal totalamount invoiceamount "
    "amountdue grossamount gross amount totalgross gesamtbetrag gesamt betrag summe montant "
    "totalttc montantttc brutto",
    "currency": "currency currencycode curr ccy invoicecurrency waehrung wahrung währung devise "
    "moneda isocurrency",
    "status": "status invoicestatus paymentstatus financialstatus state stand zustand statut paid",
    "issued_at": "issuedat issuedon issuedate invoicedate dateissued billdate orderdate txndate "
    "transactiondate documentdate finalizedatutc dateutc rechnungsdatum belegdatum "
    "datefacture date datum created createdat",
    "created_at": "createdat created createdon creationdate datecreated createdutc dateutc",
    "line_id": "lineid invoicelineid lineitemid orderdetailid invoiceitemid positionid id",
    "line_number": "lineno linenumber line position pos lineitem positionsnr row",
    "description": "description itemdescription linedescription details product productname item "
    "itemproductservice service bezeichnung beschreibung artikel text libelle designation "
    "productid trackid sku memo",
    "line_total": "totalcents linetotalcents lineamount linetotal itemamount extendedprice "
    "extendedamount subtotalline amount total positionsbetrag gesamtpreis summe betrag montant",
    "unit_price": "unitprice unitamount itemrate rate price priceeach einzelpreis preis "
    "prixunitaire",
    "quantity": "quantity qty itemquantity quantityordered units menge anzahl quantite hours",
    "discount": "discount discountrate rabatt remise",
    "tax": "taxamount itemtaxamount linetax tax vat vatamount gst mwst ust tva salestax taxtotal",
}
# A file with one of these has a row for each line of an invoice.
OF_LINES = ("line_number", "unit_price", "quantity")
_LINE_TOTALS = {"lineamount", "linetotal", "itemamount", "extendedprice", "linetotalcents"}
_OF = {kind: names.split() for kind, names in NAMES.items()}
_ALL = {name for names in _OF.values() for name in names}


def plain(name: str) -> str:
    """Return a name without case, spaces and signs."""
    return re.sub(r"[\W_]", "", name.casefold())


def is_known(name: str) -> bool:
    """Tell whether a column is called something that means something here."""
    return plain(name) in _ALL


def find(kind: str, names: Iterable[str], without: Sequence[str | None] = ()) -> str | None:
    """Return the column whose name says best that it is of this kind."""
    known = {plain(name): name for name in names if name not in without}
    return next((known[name] for name in _OF[kind] if name in known), None)


def is_line_total(name: str) -> bool:
    """Tell whether a name can only be that of a line's total."""
    return plain(name) in _LINE_TOTALS


CREDIT = ("credit", "gutschrift", "avoir", "storno", "refund")
_CREDIT_NOTE = re.compile(r"(credit|refund)s?$|credit(note|memo)|gutschrift|avoir|storno")
STATUSES = {
    "draft": "draft submitted awaitingapproval entwurf brouillon",
    "open": "open awaitingpayment authorised authorized sent unpaid due overdue pastdue "
    "outstanding partiallypaid partlypaid partial issued viewed offen faellig fällig gemahnt "
    "ueberfaellig überfällig impaye impayée envoyee",
    "paid": "paid settled deposited bezahlt beglichen payee payée",
    "void": "void voided deleted cancelled canceled uncollectible writtenoff storniert annulled "
    "annulee annulée",
}
_STATUS_OF = {word: status for status, words in STATUSES.items() for word in words.split()}


def is_credit_note(word: str) -> bool:
    """Tell whether a word is one for a credit note, and not for a payment or a status."""
    return _CREDIT_NOTE.search(plain(word)) is not None


def status_of(word: str) -> str | None:
    """Return the status that a word of another system seems to mean."""
    return _STATUS_OF.get(plain(word))
