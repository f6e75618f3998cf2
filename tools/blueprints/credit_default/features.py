"""What an application says about paying back, computed from its own columns."""


def loan_to_income(loan_amount, income):
    """The loan as a share of a year's income."""
    return loan_amount / income.where(income > 0)


def debt_to_income(debt, income):
    """What is owed already as a share of a year's income."""
    return debt / income.where(income > 0)


def instalment_burden(income, instalment=None, loan_amount=None, term=None):
    """The share of a month's income that goes into the instalment, or into the loan spread over its term."""
    if instalment is not None:
        return 12 * instalment / income.where(income > 0)
    if loan_amount is None or term is None:
        return income * float("nan")
    return 12 * loan_amount / term.where(term > 0) / income.where(income > 0)


def limit_used(debt, credit_limit):
    """The share of the credit limit that is used: near 1 there is no room left."""
    return debt / credit_limit.where(credit_limit > 0)


def interest_cost(loan_amount, interest_rate, term):
    """Interest over the whole term in money, were nothing paid back before its end."""
    return loan_amount * interest_rate / 100 * term / 12


def trouble_before(late_payments=None, inquiries=None):
    """Signs of trouble in the past: late payments count twice, asking for credit once."""
    total = 0.0
    if late_payments is not None:
        total = total + 2 * late_payments.fillna(0.0)
    if inquiries is not None:
        total = total + inquiries.fillna(0.0)
    return total


def stability(employment_years, age):
    """The share of grown-up life that was spent in the present job."""
    return employment_years / (age - 17).clip(lower=1)


def amount_per_account(debt, open_accounts):
    """How much is owed per open credit."""
    return debt / open_accounts.where(open_accounts > 0)
